import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { execa } from 'execa';
import type { ExecutionContext } from 'ava';
import { bundleFolder } from '../../scripts/bundle/folder.js';
import { bootKernel, type GuestResult } from '../../scripts/kernels/boot.js';
import { fetchKernel, hasCachedKernel, KERNEL_RELEASES, type KernelRelease } from '../../scripts/kernels/debian.js';
import { programFiles } from '../../scripts/kernels/initramfs.js';
import { guestLoader } from '../../scripts/kernels/loader.js';
import type { Diagnosis } from '../../src/doctor/check.js';
import type { Handshake } from '../../src/snapshot/schema/handshake.js';
import type { Manifest } from '../../src/snapshot/schema/manifest.js';
import { reasonAgainstBundleTests, reasonAgainstCommands, testUnless } from '../left-out.js';
import { readByTshark } from './tshark-reading.js';

// Boots stock kernels under emulation, captures and records in each, and judges the snapshots on this machine: pids by what the
// guest's shell wrote down, JA3 and JA4 by what tshark reads, the signature and digests by `tlsnap verify`.

const PROJECT = resolve(import.meta.dirname, '../..');
const CACHE = join(PROJECT, '.cache/kernels');
const COMMANDS = ['qemu-system-x86_64', 'cpio', 'busybox', 'cc', 'ldd', 'openssl', 'bpftool', 'tshark', 'text2pcap'];

const reasonAgainstAll =
  process.platform === 'linux'
    ? (reasonAgainstCommands(...COMMANDS) ?? reasonAgainstBundleTests())
    : 'the kernels boot on a Linux machine only';

for (const release of KERNEL_RELEASES) {
  const missing = release.mayBeMissing && !hasCachedKernel(release, CACHE);
  const reason = reasonAgainstAll ?? (missing ? 'may be missing, and could not be fetched' : undefined);
  testUnless(
    reason,
    `kernel ${release.name} captures and records handshakes with the right process, JA3 and JA4`,
    (t) => captures(t, release),
  );
  if (release.name === '6.1') {
    testUnless(reason, `kernel ${release.name} captures them under lockdown=confidentiality too`, (t) =>
      captures(t, release, 'lockdown=confidentiality'),
    );
  }
}

interface RecorderStatus {
  readonly running: boolean;
  readonly hellos: { readonly seen: number };
  readonly detached: readonly string[];
}

async function captures(t: ExecutionContext, release: KernelRelease, cmdline = ''): Promise<void> {
  t.timeout(600_000);
  const kernel = await fetchKernel(release, CACHE);
  t.log(kernel.package, ...(kernel.note === undefined ? [] : [kernel.note]));
  const script = await readFile(join(import.meta.dirname, 'guest.sh'), 'utf8');
  const result = await bootKernel({ kernel, files: await guestFiles(t), script, cmdline, timeoutSeconds: 400 });
  const text = (name: string) => result.files.get(name)?.toString().trim() ?? '';

  t.deepEqual(result.splats, []);
  t.log(result.output);
  t.is(result.status, 0, result.serial);
  t.is(text('verifier.status'), '0', text('verifier'));
  // The second object is for 6.2 and later.
  const direct = ['5.10', '6.1'].includes(release.name) ? '' : '0';
  t.is(text('verifier-direct.status'), direct, text('verifier-direct'));
  const diagnosis = JSON.parse(text('doctor.json')) as Diagnosis;
  const handshake = diagnosis.checks.find(({ name }) => name === 'handshake');
  t.like(handshake ?? {}, { state: 'ok', found: 'seen, with its process and JA3' }, text('doctor.json'));
  t.is(text('doctor.status'), diagnosis.notSeen.length === 0 ? '0' : '1');
  t.is(text('capture.status'), '0', `${text('capture.stderr')}\n${text('capture.json')}`);
  t.notRegex(text('programs.after'), /tlsnap/);
  t.is(text('links.after'), '');
  const tier = diagnosis.tier ?? '';
  const server = text('server.pid');
  await judge(t, result, 'guest', { source: 'live', tier }, { clients: text('client.pids').split('\n'), server });

  for (const step of ['start', 'dump', 'stop'])
    t.is(text(`record-${step}.status`), '0', `${text(`record-${step}.json`)}${text(`record-${step}`)}`);
  t.is(text('record-processes'), '', 'a recorder has no process');
  const status = JSON.parse(text('record-status.json')) as RecorderStatus;
  t.is(status.running, true);
  // Both ends see both hellos.
  t.is(status.hellos.seen, 4, text('record-status.json'));
  t.deepEqual(status.detached, []);
  await judge(t, result, 'recorder', { source: 'recorder', tier }, { clients: [text('recorded.pid')], server });
}

/** Holds a snapshot against what the guest's shell knows, the doctor's tier, and tshark's reading of the raw hellos. */
async function judge(
  t: ExecutionContext,
  result: GuestResult,
  name: string,
  expected: { source: Manifest['source']; tier: string },
  pids: { clients: readonly string[]; server: string },
): Promise<void> {
  const directory = await temporaryDirectory(t);
  const snapshot = join(directory, `${name}.tlsnap.tar.gz`);
  await writeFile(snapshot, result.files.get(`${name}.tlsnap.tar.gz`) ?? '');
  const verify = await execa(process.execPath, [join(PROJECT, 'bin/run.js'), 'verify', snapshot], {
    reject: false,
    all: true,
  });
  t.is(verify.exitCode, 0, verify.all);

  const manifest = JSON.parse(await readMember(snapshot, 'manifest.json')) as Manifest;
  t.like(manifest, expected);

  const events = await readTimeline(snapshot);
  const sent = events.filter(({ kind, role }) => kind === role);
  const clients = sent.filter(({ kind }) => kind === 'client');
  const servers = sent.filter(({ kind }) => kind === 'server');
  t.true(clients.length > 0, 'no ClientHello was seen at its sender');
  t.true(servers.length > 0, 'no ServerHello was seen at its sender');
  for (const { process, tls, hello } of clients) {
    t.true(pids.clients.includes(String(process?.pid)), `pid ${String(process?.pid)}`);
    t.is(process?.comm, 'openssl');
    t.is(tls?.serverName, 'guest.example');
    t.deepEqual(tls?.alpn, ['h2']);
    t.true(hello.complete);
  }
  for (const { process } of servers) t.is(String(process?.pid), pids.server);

  // One program with one set of options: every hello has the fingerprints of the first.
  const reading = await readByTshark(Buffer.from(clients[0]?.hello.raw ?? '', 'base64'));
  for (const { fingerprints } of events.filter(({ kind }) => kind === 'client')) {
    t.is(fingerprints?.ja3, reading.ja3);
    t.is(fingerprints?.ja4, reading.ja4);
  }
}

async function readTimeline(snapshot: string): Promise<Handshake[]> {
  const text = await readMember(snapshot, 'handshakes.ndjson');
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Handshake);
}

async function readMember(snapshot: string, name: string): Promise<string> {
  return (await execa('tar', ['-xzOf', snapshot, '--wildcards', `*/${name}`])).stdout;
}

async function guestFiles(t: ExecutionContext): Promise<Map<string, string>> {
  const directory = await temporaryDirectory(t);
  const [key, certificate] = [join(directory, 'key.pem'), join(directory, 'cert.pem')];
  const words = 'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=guest.example';
  await execa('openssl', [...words.split(' '), '-keyout', key, '-out', certificate]);
  const openssl = await execa('openssl', ['version', '-d']);
  const configuration = `${/"(.*)"/.exec(openssl.stdout)?.[1] ?? '/usr/lib/ssl'}/openssl.cnf`;
  return new Map([
    ['/opt/tlsnap', await bundleFolder(PROJECT)],
    ...(await guestLoader(CACHE)),
    ...(await programFiles(await which('openssl'))),
    ...(await programFiles(await which('bpftool'))),
    [configuration, configuration],
    ['/guest/key.pem', key],
    ['/guest/cert.pem', certificate],
  ]);
}

async function which(command: string): Promise<string> {
  return (await execa('sh', ['-c', `command -v ${command}`])).stdout;
}

async function temporaryDirectory(t: ExecutionContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'tlsnap-matrix-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  return directory;
}
