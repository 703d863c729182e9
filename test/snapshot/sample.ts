import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import type { Host } from '../../src/snapshot/schema/host.js';
import type { SnapshotFacts } from '../../src/snapshot/schema/manifest.js';
import type { Process } from '../../src/snapshot/schema/process.js';
import type { Socket } from '../../src/snapshot/schema/socket.js';
import { oneTimeSigner, type Signer } from '../../src/snapshot/signer.js';
import type { HandshakeRow } from '../../src/snapshot/timeline-file.js';
import { SnapshotWriter, type WrittenSnapshot } from '../../src/snapshot/writer.js';
import { describeHello } from '../../src/tls/describe.js';

/** A folder that is removed after the test. */
export async function temporaryFolder(t: ExecutionContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'tlsnap-test-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

export interface SampleOptions {
  readonly handshakes?: number;
  readonly signer?: Signer;
  readonly output?: string;
  readonly encryptTo?: readonly string[];
  readonly executable?: { readonly sha256: string; readonly path: string };
}

/** Writes a whole snapshot into `folder`: handshakes with every other kind of row. */
export async function writeSample(folder: string, options: SampleOptions = {}): Promise<WrittenSnapshot> {
  const { handshakes = 3, signer = oneTimeSigner(), encryptTo = [] } = options;
  const { output = join(folder, 'sample.tlsnap.tar.gz') } = options;
  const staging = await mkdtemp(join(folder, 'staging-'));
  const writer = SnapshotWriter.create({ output, staging, encryptTo });
  for (let at = 0; at < handshakes; at += 1) writer.handshakes.add(START + BigInt(at), handshakeAt(BigInt(at)));
  writer.fingerprints.add({
    pid: 4242,
    startTimeNs: '123',
    ja3: 'd41d8cd98f00b204e9800998ecf8427e',
    ja3Sha256: null,
    count: 3,
    firstTime: timeAt(0n),
    lastTime: timeAt(2n),
    comm: 'curl',
    uid: 0,
    ppid: 1,
    cgroupId: '17',
    side: 'client',
    hashedBy: 'kernel',
    flags: [],
  });
  writer.processes.add(PROCESS);
  writer.sockets.add(SOCKET);
  writer.host(HOST);
  writer.actions.add({ time: timeAt(0n), action: 'program-loaded', subject: 'tlsnap_egress', detail: null });
  if (options.executable) writer.executable(options.executable.sha256, options.executable.path);
  return writer.finish(factsOf(handshakes), signer);
}

/** A row of the timeline, `offset` ns after the sample's start. */
export function handshakeAt(offset: bigint): HandshakeRow {
  const { tls, fingerprints } = describeHello(HELLO, { kind: 'client', transport: 'tcp', sslv2: false });
  return {
    time: timeAt(offset),
    bootTimeNs: String(123_456_789_012n + offset),
    kind: 'client',
    role: 'client',
    transport: 'tcp',
    flow: { src: '127.0.0.1', srcPort: 40000, dst: '::1', dstPort: 443, netns: 4_026_531_840, cookie: '17' },
    process: {
      pid: 4242,
      tid: 4242,
      startTimeNs: '123',
      ppid: 1,
      uid: 0,
      gid: 0,
      comm: 'cu\u001b[31mrl',
      threadComm: null,
      exe: '/usr/bin/curl',
      cgroup: '/system.slice/x.service',
      container: null,
      attribution: 'connect',
      sender: null,
    },
    hello: {
      raw: HELLO.toString('base64'),
      complete: true,
      segments: 1,
      records: 1,
      streamOffset: 0,
      sslv2: false,
      afterRetry: false,
    },
    tls,
    fingerprints,
    kernel: { ...(fingerprints?.ja3 !== undefined && { ja3: fingerprints.ja3 }) },
    error: null,
  };
}

/** RFC 3339 of `offset` ns after the sample's start, less than a second. */
export function timeAt(offset: bigint): string {
  return `2026-11-22T09:20:08.${String(offset).padStart(9, '0')}Z`;
}

export function factsOf(events: number): SnapshotFacts {
  const clocks = { realtime: '1', monotonic: '2', boottime: '3', tai: null, ntp: null };
  return {
    tool: { name: 'tlsnap', version: '0.1.0' },
    source: 'live',
    case: { case: 'C-1', evidence: null, examiner: 'Ä. Examiner', description: null },
    host: { hostname: 'web1', machineId: null, bootId: null, os: 'Debian', kernel: '6.1.0', architecture: 'x86_64' },
    window: { asked: 'PT60S', start: timeAt(0n), end: '2026-11-22T09:21:08.500000000Z', endedBy: 'elapsed' },
    clocks: { start: clocks, end: { ...clocks, ntp: NTP } },
    tier: 'full',
    features: ['btf'],
    coverage: {
      events,
      lossesByKind: { 'ring-full/egress': 0 },
      hellosTruncated: 0,
      hellosWithoutProcess: 0,
      connectionsWithoutHello: 0,
      socketsOlderThanWindow: 1,
      kernelFeaturesMissing: [],
      limits: [],
      notes: [],
      redacted: 0,
      reconciliation: { seen: events, kept: events, filtered: 0, lost: 0 },
    },
    chain: { algorithm: 'sha256', head: '0'.repeat(64), records: events },
    recovered: null,
    input: null,
  };
}

const START = 1_795_339_208_000_000_000n;
const NTP = {
  synchronized: true,
  state: 'ok',
  offsetNs: '-17',
  maxErrorNs: '1',
  estimatedErrorNs: null,
  status: 8193,
};

/** A TLS 1.2 ClientHello put together by hand: one cipher suite, server_name example.org. */
export const HELLO = Buffer.from(
  `01000045 0303 ${'ab'.repeat(32)} 00 0004 c02f1301 0100 0018 0000 0010 000e 00000b ${Buffer.from('example.org').toString('hex')} ff01 0000`.replaceAll(
    ' ',
    '',
  ),
  'hex',
);

const NO_CAPABILITIES = { inheritable: null, permitted: 'ff', effective: null, bounding: null, ambient: null };
export const PROCESS: Process = {
  pid: 4242,
  startTimeNs: '123',
  startTimeTicks: '12',
  sources: ['kernel', 'proc'],
  readAt: timeAt(5n),
  ppid: 1,
  comm: 'curl',
  state: 'S',
  kernelThread: false,
  uid: 0,
  gid: 0,
  uids: { real: 0, effective: 0, saved: 0, filesystem: 0 },
  gids: null,
  groups: [0],
  nsPids: [4242],
  threads: 1,
  tracerPid: 0,
  seccomp: 'disabled',
  noNewPrivs: false,
  capabilities: NO_CAPABILITIES,
  exe: '/usr/bin/curl',
  exeDeleted: false,
  exeMemfd: false,
  exeSize: '5',
  exeDevice: '8:1',
  exeInode: '99',
  exeSha256: null,
  exeBuildId: null,
  exeHashedFrom: null,
  cmdline: ['curl', '=cmd()', '\u202e'],
  cwd: '/',
  root: '/',
  cgroup: '/',
  cgroupsV1: null,
  container: null,
  systemdUnit: null,
  systemdUserUnit: null,
  namespaces: null,
  loginUid: null,
  auditSession: null,
  sockets: [{ fd: 3, inode: '4' }],
  tlsLibraries: [],
  unusualLibraries: [],
  parents: [],
  firstSeen: timeAt(0n),
  exited: null,
  exitCode: null,
  errors: [{ field: 'exeSha256', code: 'ESRCH' }],
};

export const SOCKET: Socket = {
  when: 'start',
  netns: 4_026_531_840,
  proto: 'tcp',
  family: 4,
  state: 'LISTEN',
  local: { address: '0.0.0.0', port: 22 },
  remote: null,
  inode: '5',
  uid: 0,
  owners: [{ pid: 1, startTimeNs: null, comm: 'sshd', exe: null }],
};

export const HOST: Host = {
  readAt: timeAt(0n),
  hostname: 'web1',
  machineId: null,
  bootId: null,
  uptimeNs: null,
  kernel: { release: '6.1.0', version: null, architecture: 'x86_64', commandLine: null },
  osRelease: { ID: 'debian' },
  taint: null,
  modules: null,
  lsm: null,
  lockdown: null,
  mounts: [],
  preload: { path: '/etc/ld.so.preload', exists: false, size: null, sha256: null, content: null },
  self: {
    pid: 1,
    environment: [],
    libraries: [],
    namespaces: { net: null, pid: null, mnt: null, user: null, uts: null, ipc: null, cgroup: null, time: null },
    initialNamespaces: { net: null, pid: null, mnt: null, user: null, cgroup: null },
    hidepid: null,
    notes: [],
  },
  processes: null,
  hiddenProcesses: null,
  bpf: null,
  clockStepNs: null,
  errors: [],
};
