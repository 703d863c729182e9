/**
 * npm run quickstart: what tlsnap does, shown on handshakes of its own. Everything happens in a cgroup of its own, so
 * nothing else on this machine is recorded; without root, what needs no kernel is shown on a capture file instead.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const project = resolve(import.meta.dirname, '..');
const tlsnap = join(project, 'bin/run.js');

async function main(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'tlsnap-quickstart-'));
  try {
    const reason = whyNotLive();
    const snapshot = join(folder, 'quickstart.tlsnap.tar.gz');
    if (reason === null) await captureOwn(folder, snapshot);
    else {
      console.log(`No live capture: ${reason}. Importing a capture file instead.\n`);
      await show(['import', join(project, 'fixtures/pcap/clients.pcapng'), '--output', snapshot]);
    }
    await show(['verify', snapshot]);
    await show(['replay', snapshot, '--speed', 'max', '--format', 'table']);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function whyNotLive(): string | null {
  if (process.platform !== 'linux') return `this is ${process.platform}, and live capture needs Linux`;
  if (process.getuid?.() !== 0) return 'it needs root';
  if (!existsSync(join(project, 'native/build/tlsnap.node'))) return 'the addon is not built';
  return cgroupMount() === null ? 'no cgroup2 hierarchy is mounted' : null;
}

/** A capture of a few real handshakes: openssl, curl where it is there, and Node, each as client of one openssl server. */
async function captureOwn(folder: string, snapshot: string): Promise<void> {
  const cgroup = join(cgroupMount() ?? '', `tlsnap-quickstart-${process.pid}`);
  mkdirSync(cgroup);
  const inside = (command: string, args: readonly string[]): ChildProcess =>
    spawn('/bin/sh', ['-c', 'echo $$ > "$0/cgroup.procs" && exec "$@"', cgroup, command, ...args], {
      stdio: ['pipe', 'ignore', 'ignore'],
    });
  const [key, certificate] = [join(folder, 'key.pem'), join(folder, 'certificate.pem')];
  const request = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-subj', '/CN=localhost', '-days', '2'];
  await once(spawn('openssl', [...request, '-keyout', key, '-out', certificate], { stdio: 'ignore' }), 'exit');
  const capture = spawn(
    process.execPath,
    [tlsnap, 'capture', '--window', '4s', '--cgroup', cgroup, '--output', snapshot, '--verbose'],
    {
      stdio: ['ignore', 'inherit', 'pipe'],
    },
  );
  const captured = once(capture, 'exit');
  capture.stderr.pipe(process.stderr);
  await Promise.race([once(capture.stderr, 'data'), captured]);
  const port = String(await freePort());
  const server = inside('openssl', ['s_server', '-accept', port, '-key', key, '-cert', certificate, '-www', '-quiet']);
  try {
    await new Promise((resolve) => setTimeout(resolve, 500));
    const url = `https://localhost:${port}/`;
    const clients = [
      inside('openssl', ['s_client', '-connect', `localhost:${port}`, '-servername', 'tls13.example', '-alpn', 'h2']),
      inside('openssl', ['s_client', '-connect', `localhost:${port}`, '-servername', 'tls12.example', '-tls1_2']),
      inside(process.execPath, [
        '-e',
        `require('https').get('${url}', {rejectUnauthorized: false}).on('error', () => {})`,
      ]),
      ...(existsSync('/usr/bin/curl') ? [inside('curl', ['--insecure', '--silent', '--max-time', '3', url])] : []),
    ];
    for (const client of clients) client.stdin?.end();
    await captured;
  } finally {
    if (server.exitCode === null) {
      const ended = once(server, 'exit');
      server.kill();
      await ended;
    }
    rmdirSync(cgroup);
  }
}

/** Runs a tlsnap command where the reader can see it, and stops when it fails. */
async function show(args: readonly string[]): Promise<void> {
  console.log(`\n$ tlsnap ${args.join(' ')}`);
  const child = spawn(process.execPath, [tlsnap, ...args], { stdio: 'inherit' });
  const [code] = (await once(child, 'exit')) as [number | null];
  if (code !== 0) throw new Error(`tlsnap ${args[0] ?? ''} ended with ${code ?? 'a signal'}`);
}

function cgroupMount(): string | null {
  const lines = readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
  const fields = lines
    .map((line) => line.split(' '))
    .find((words) => words[words.indexOf('-') + 1] === 'cgroup2' && words[3] === '/');
  return fields?.[4] ?? null;
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', reject);
    server.listen(0, () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });
}

await main();
