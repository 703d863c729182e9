import { readFileSync, readlinkSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { reasonAgainstCommands, reasonAgainstLiveTests, testUnless } from '../left-out.js';
import { assertSameHellos, assertVerifies, executableOf, only, onPort, pythonExecutable } from './judge.js';
import { openStage, until } from './live.js';
import { capturePackets } from './packets.js';
import { startTlsServer } from './programs.js';

// Real clients against a real server, over each version and address family. JA3 and JA3S are tshark's, from the packets;
// pids are those the test started; the executable is the file behind the command.

const VERSIONS = ['1.2', '1.3'] as const;
const ADDRESSES = ['127.0.0.1', '::1', '::ffff:127.0.0.1'] as const;

/** One connection to make. */
interface Wanted {
  readonly version: (typeof VERSIONS)[number];
  readonly address: (typeof ADDRESSES)[number];
  readonly port: number;
  readonly serverName: string;
}

interface Client {
  readonly command: string;
  args(wanted: Wanted): string[];
  /** Offered, in order. */
  readonly alpn: readonly string[];
  /** The process's name, where it is not the command's. */
  readonly comm?: string;
}

const clients: readonly Client[] = [
  {
    command: 'openssl',
    alpn: ['spdy/1', 'http/1.1'],
    args: ({ version, address, port, serverName }) => [
      's_client',
      `-tls${version.replace('.', '_')}`,
      ...['-connect', `${bracketed(address)}:${port}`, '-servername', serverName, '-alpn', 'spdy/1,http/1.1'],
    ],
  },
  {
    command: 'curl',
    alpn: ['http/1.1'],
    args: ({ version, address, port, serverName }) => [
      ...['--silent', '--insecure', '--http1.1', '--tlsv1.2', '--tls-max', version],
      ...['--resolve', `${serverName}:${port}:${bracketed(address)}`, `https://${serverName}:${port}/`],
    ],
  },
  {
    command: process.execPath,
    // The main thread may be named otherwise than the file: what /proc says of this very Node.
    comm: readFileSync('/proc/self/comm', 'utf8').trim(),
    alpn: ['http/1.1', 'x/2'],
    args: ({ version, address, port, serverName }) => [
      '--eval',
      `const socket = require('tls').connect({
         port: ${port}, host: '${address}', servername: '${serverName}', rejectUnauthorized: false,
         minVersion: 'TLSv${version}', maxVersion: 'TLSv${version}', ALPNProtocols: ['http/1.1', 'x/2'],
       }, () => socket.end('x'));`,
    ],
  },
  {
    command: await pythonExecutable(),
    alpn: ['http/1.1'],
    args: ({ version, address, port, serverName }) => [
      '-c',
      [
        'import socket, ssl',
        'context = ssl._create_unverified_context()',
        `context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv${version.replace('.', '_')}`,
        "context.set_alpn_protocols(['http/1.1'])",
        `plain = socket.create_connection(('${address}', ${port}))`,
        `context.wrap_socket(plain, server_hostname='${serverName}').close()`,
      ].join('\n'),
    ],
  },
  {
    command: 'gnutls-cli',
    alpn: ['http/1.1', 'h2'],
    args: ({ version, address, port, serverName }) => [
      ...['--insecure', '--priority', `NORMAL:-VERS-ALL:+VERS-TLS${version}`, '--alpn=http/1.1', '--alpn=h2'],
      ...[`--sni-hostname=${serverName}`, `--port=${port}`, address],
    ],
  },
];

for (const client of clients) {
  const name = basename(client.command);
  const reason =
    reasonAgainstLiveTests() ??
    reasonAgainstCommands('openssl', 'dumpcap', 'tshark', ...(client.command === name ? [name] : []));
  testUnless(reason, `${name}: each hello and end is one event, as tshark reads it, with the process's identity`, (t) =>
    judgeClient(t, client),
  );
}

async function judgeClient(t: ExecutionContext, client: Client): Promise<void> {
  const stage = await openStage(t);
  const { port, server } = await startTlsServer(stage);
  const packets = await capturePackets(stage.directory, [port]);
  const pids = new Map<string, number | undefined>();
  const captured = await stage.capture(async () => {
    for (const version of VERSIONS) {
      for (const address of ADDRESSES) {
        const serverName = `tls${version.replace('.', '')}-${pids.size}.example`;
        const running = stage.run(client.command, client.args({ version, address, port, serverName }));
        pids.set(serverName, running.pid);
        await running;
      }
    }
  });
  const events = onPort(captured.handshakes, port);
  assertSameHellos(t, events, await packets.hellos());
  t.is(captured.exitCode, 0, captured.stderr);
  t.is(captured.handshakes.length, events.length);

  const exe = await executableOf(client.command);
  for (const [serverName, pid] of pids) {
    const hello = only(
      t,
      events.filter(({ role, tls }) => role === 'client' && tls?.serverName === serverName),
      serverName,
    );
    t.deepEqual(hello.tls?.alpn, [...client.alpn]);
    const connection = events.filter(({ flow }) => flow.cookie === hello.flow.cookie);
    t.deepEqual(
      connection.map(({ kind }) => kind),
      ['client', 'server'],
    );
    t.is(connection[1]?.tls?.version, serverName.startsWith('tls12') ? 'TLS 1.2' : 'TLS 1.3');
    for (const { process: owner, flow } of connection) {
      t.is(owner?.pid, pid);
      t.is(owner?.comm, client.comm ?? basename(client.command));
      t.is(owner?.exe, exe);
      t.is(owner?.ppid, process.pid);
      t.is(owner?.uid, 0);
      t.is(owner?.attribution, 'connect');
      t.is(owner?.sender, null);
      t.is(`/${owner?.cgroup?.split('/').at(-1)}`, `/${basename(stage.cgroup)}`);
      t.is(flow.netns, namespaceOf(process.pid, 'net'));
    }
  }
  const atServer = events.filter(({ role }) => role === 'server');
  for (const { process: owner } of atServer) {
    t.is(owner?.pid, server.pid);
    t.is(owner?.comm, readFileSync(`/proc/${server.pid}/comm`, 'utf8').trim());
    t.is(owner?.exe, await executableOf(process.execPath));
    t.is(owner?.attribution, 'accept');
  }
  t.deepEqual(
    captured.processes.map(({ pid }) => pid).sort(),
    [...pids.values(), server.pid].sort(),
    'one row a process',
  );
  await assertVerifies(t, captured.path);
}

testUnless(
  reasonAgainstLiveTests() ?? reasonAgainstCommands('openssl', 'dumpcap', 'tshark', 'chromium'),
  "Chromium's post-quantum hello is whole, as tshark reads it, and its network process is named",
  async (t) => {
    const stage = await openStage(t);
    const { port, server } = await startTlsServer(stage);
    let answered = false;
    server.process.stdout?.on('data', () => (answered = true));
    const packets = await capturePackets(stage.directory, [port]);
    const networkPids = new Set<string>();
    const captured = await stage.capture(async () => {
      const flags = [...CHROMIUM_FLAGS, `--user-data-dir=${join(stage.directory, 'profile')}`];
      const page = `https://localhost:${port}/`;
      const chromium = stage.start('chromium', [...flags, page], { env: { HOME: stage.directory } });
      await until('Chromium has connected', 40_000, () => {
        for (const pid of readFileSync(join(stage.cgroup, 'cgroup.procs'), 'utf8').trim().split('\n')) {
          if (cmdlineOf(pid).includes('network.mojom.NetworkService')) networkPids.add(pid);
        }
        return answered && networkPids.size > 0;
      });
      // To its end: a connection that it opens beside the page's must not outlive the window.
      await chromium.process;
    });
    const events = onPort(captured.handshakes, port);
    assertSameHellos(t, events, await packets.hellos());
    const pid = Number(only(t, [...networkPids], 'network service'));
    for (const { kind, process: owner, hello, tls } of events.filter(({ role }) => role === 'client')) {
      t.is(owner?.pid, pid);
      t.is(owner?.comm, 'chromium');
      t.is(basename(owner?.exe ?? ''), 'chromium');
      t.is(owner?.attribution, 'connect');
      if (kind !== 'client') continue;
      t.is(tls?.serverName, 'localhost');
      t.true(Buffer.from(hello.raw, 'base64').length > 1600, 'no post-quantum key share');
      // X25519MLKEM768, draft-ietf-tls-ecdhe-mlkem.
      t.true(tls?.supportedGroups.includes(0x11ec));
    }
    await assertVerifies(t, captured.path);
  },
);

function bracketed(address: string): string {
  return address.includes(':') ? `[${address}]` : address;
}

function namespaceOf(pid: number, kind: string): number {
  return Number(/\d+/.exec(readlinkSync(`/proc/${pid}/ns/${kind}`))?.[0]);
}

function cmdlineOf(pid: string): string {
  return readFileSync(`/proc/${pid}/cmdline`, 'latin1');
}

const CHROMIUM_FLAGS = [
  '--headless',
  '--dump-dom',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--ignore-certificate-errors',
];
