import { closeSync, openSync, readSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { ioError, TlsnapError } from '../errors.js';
import {
  BPF_OBJECT,
  DIRECT_BPF_OBJECT,
  isNativeError,
  loadAddon,
  type Addon,
  type NativeError,
  type NativeSession,
} from './addon.js';
import { COUNTER, LAYOUT } from './layout.js';
import { readPrivileges } from './privileges.js';
import { scopeTunables, type Scope } from './scope.js';

/** How much the kernel lets the programs see, best first. */
export interface Tier {
  readonly name: string;
  readonly tunables: { tlsnap_task_btf: 0 | 1; tlsnap_probe_read: 0 | 1 };
  readonly tracepoints: boolean;
  /** What this tier does not see, in words for the manifest. */
  readonly missing: readonly string[];
}

export interface SessionOptions {
  /** Bytes; a power of two. */
  readonly ringBytes: number;
  /** Entries that the map of fingerprints can hold. */
  readonly mapEntries: number;
  readonly scope: Scope;
  /** For a flight recorder: no process drains the ring, and the newest records are kept in so many places. */
  readonly recorder?: RecorderSize;
  /** A BTF file for a kernel without /sys/kernel/btf/vmlinux. */
  readonly btfPath: string | null;
}

export interface RecorderSize {
  /** Records of hellos, 1 KiB each. */
  readonly slots: number;
  readonly processes: number;
}

export type CounterName = keyof typeof COUNTER;
export type Counters = Record<CounterName, number>;

/** The kernel's side of a capture: programs loaded, and attached by `attach`. */
export class Session {
  readonly tier: Tier;
  readonly #native: NativeSession;

  /** Loads the programs in the best tier that this kernel takes. Throws a TlsnapError that says what is missing. */
  static open(options: SessionOptions): Session {
    const addon = loadAddon();
    checkLayout(addon);
    if (options.btfPath !== null) checkTypes(options.btfPath);
    const refusals: NativeError[] = [];
    for (const tier of tiersFor(addon, options.scope)) {
      try {
        return new Session(tier, openTier(addon, tier, options));
      } catch (error) {
        if (!isNativeError(error)) throw error;
        refusals.push(error);
      }
    }
    throw refusal(refusals, options.btfPath);
  }

  private constructor(tier: Tier, native: NativeSession) {
    this.tier = tier;
    this.#native = native;
  }

  /** Attaches beside whatever is there. `cgroupPath` empty: the root of the hierarchy, through a private mount. */
  attach(cgroupPath: string): void {
    try {
      this.#native.attach(cgroupPath);
    } catch (error) {
      throw isNativeError(error) ? attachError(cgroupPath, error) : error;
    }
  }

  /** Puts a process into the set of those in scope; the kernel adds what it forks, and takes out what ends. */
  addPid(pid: number): void {
    this.#native.addPid(pid);
  }

  removePid(pid: number): void {
    this.#native.removePid(pid);
  }

  /** See NativeSession.drain. */
  drain(out: Uint8Array, timeoutMs: number, untilWoken = false): number {
    return this.#native.drain(out, timeoutMs, untilWoken);
  }

  counters(): Counters {
    return namedCounters(this.#native.counters());
  }

  /** Pins what a flight recorder needs into a folder of a BPF file system: it stays at work without this process. */
  pin(directory: string, facts: string): void {
    this.#native.pin(directory, RECORDER_MAPS);
    loadAddon().pinFacts(directory, facts);
  }

  /** See NativeSession.fingerprints; fingerprintEntries() decodes it. */
  fingerprints(): Buffer {
    return this.#native.fingerprints();
  }

  programs(): { name: string; id: number; tag: string }[] {
    return this.#native.programs();
  }

  /** Names of the attached programs that somebody took off their hooks, or that lost them with the cgroup. */
  detachedPrograms(): string[] {
    return this.#native.detachedPrograms();
  }

  maps(): { name: string; id: number }[] {
    return this.#native.maps();
  }

  detach(): void {
    this.#native.detach();
  }

  close(): void {
    this.#native.close();
  }
}

export function namedCounters(values: readonly number[]): Counters {
  return Object.fromEntries(Object.entries(COUNTER).map(([name, index]) => [name, values[index] ?? 0])) as Counters;
}

/** Those that may work. To find out about one by loading it costs as much as the whole start. */
function tiersFor(addon: Addon, scope: Scope): readonly Tier[] {
  const hasTaskBtf = addon.hasTaskBtf();
  return TIERS.filter(
    ({ tunables, tracepoints }) =>
      (hasTaskBtf || tunables.tlsnap_task_btf === 0) &&
      // Without tracepoints nobody tells of forks.
      (tracepoints || scope.pid === null),
  );
}

function openTier(addon: Addon, tier: Tier, options: SessionOptions): NativeSession {
  // libbpf finds kernel functions in the kernel's own BTF alone.
  const direct = options.btfPath === null && addon.kernelHasFunction('bpf_cast_to_kern_ctx');
  const programs = programsOf(tier, options, direct);
  return new addon.Session({
    objectPath: direct ? DIRECT_BPF_OBJECT : BPF_OBJECT,
    btfPath: options.btfPath ?? '',
    ringBytes: options.ringBytes,
    // A full quarter of the ring is left for the time that the reader needs to wake up.
    tunables: {
      ...tier.tunables,
      ...scopeTunables(options.scope),
      tlsnap_wakeup_bytes: Math.floor(options.ringBytes / 4),
      tlsnap_recording: options.recorder ? 1 : 0,
      tlsnap_slot_count: options.recorder?.slots ?? 1,
    },
    mapEntries: {
      fingerprints: options.mapEntries,
      slots: options.recorder?.slots ?? 1,
      recorded_processes: options.recorder?.processes ?? 1,
      recorded_exits: options.recorder?.processes ?? 1,
    },
    programs,
    parts: partsOf(programs),
  });
}

/** In the order in which they are attached: nothing announces a connection before it can be followed. */
function programsOf({ tracepoints }: Tier, { scope, recorder }: SessionOptions, direct: boolean): string[] {
  return [
    ...(scope.pid === null ? [] : ['tlsnap_fork']),
    ...(direct ? ['tlsnap_egress_direct', 'tlsnap_ingress_direct'] : ['tlsnap_egress', 'tlsnap_ingress']),
    // A recorder looks at the program when its process connects the next time.
    ...(tracepoints && !recorder ? ['tlsnap_exec'] : []),
    ...(tracepoints ? ['tlsnap_exit'] : []),
    'tlsnap_sockops',
  ];
}

/**
 * The kernel's verifier takes the time of whoever loads a program. Both programs that see packets take more of it than all
 * others together: each is loaded by a thread of its own, where there are processors for both.
 */
function partsOf(programs: string[]): string[][] {
  if (availableParallelism() < 2) return [programs];
  const goesWithIngress = (name: string): boolean => /^tlsnap_(?:ingress|sockops)/.test(name);
  return [programs.filter((name) => !goesWithIngress(name)), programs.filter(goesWithIngress)];
}

/** The decoder was generated from an object's BTF; this makes sure that it was this object's. */
function checkLayout(addon: Addon): void {
  for (const [name, { size, members }] of Object.entries(LAYOUT)) {
    const found = addon.structLayout(BPF_OBJECT, `tlsnap_${name}`);
    const same = Object.entries(members).every(([member, [offset, bytes]]) => {
      const actual = found.members[member];
      return actual !== undefined && actual.offset === offset && actual.size === bytes;
    });
    if (found.size !== size || !same) {
      throw new TlsnapError('unavailable', BPF_OBJECT, `struct tlsnap_${name} is not laid out as this build expects`, [
        'Build anew with: npm run generate && npm run build.',
      ]);
    }
  }
}

/** A raw BTF file, or an ELF with one in it: what libbpf takes for a kernel's types. */
function checkTypes(path: string): void {
  const magic = Buffer.alloc(4);
  try {
    const fd = openSync(path, 'r');
    try {
      readSync(fd, magic);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    throw ioError(path, error);
  }
  if (magic.readUInt16LE() === BTF_MAGIC || magic.readUInt16BE() === BTF_MAGIC || magic.equals(ELF_MAGIC)) return;
  throw new TlsnapError('input', path, 'is no BTF file', ['Name the BTF file of this very kernel with --btf.']);
}

function refusal(refusals: readonly NativeError[], btfPath: string | null): TlsnapError {
  const first = refusals[0];
  if (!first) throw new Error('no tier was tried');
  const privileges = readPrivileges();
  // Lower tiers may fail for other reasons: what kept the best one from loading counts.
  if ((first.code === 'EPERM' || first.code === 'EACCES') && !privileges.mayLoad) {
    return new TlsnapError(
      'permission',
      'live capture',
      privileges.inUserNamespace
        ? 'this process may not load BPF programs: its privileges are those of a user namespace'
        : `this process may not load BPF programs: it lacks ${privileges.missing.join(', ')}`,
      ['Run it as root of the host, or with: capsh or setpriv granting CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON.'],
      first,
    );
  }
  // Kernels before 5.11 say EPERM for memory too.
  if (first.code === 'EPERM' && privileges.filtered) {
    return new TlsnapError(
      'permission',
      'live capture',
      'bpf(2) is refused to this process, which has the capabilities: most likely by its seccomp filter',
      ['Run it on the host itself, or in a container with --security-opt seccomp=unconfined, or --privileged.'],
      first,
    );
  }
  if (first.code === 'EMFILE' || first.code === 'ENFILE') {
    return new TlsnapError(
      'unavailable',
      'live capture',
      `more files are needed than this process may open (${first.code})`,
      ['Raise its limit first: ulimit -n 1024'],
      first,
    );
  }
  const log = first.log.trimEnd().split('\n').slice(-LOG_LINES).join('; ');
  if (btfPath !== null) {
    return new TlsnapError(
      'input',
      btfPath,
      `with these types this kernel does not take the BPF programs: ${first.message}; ${log}`,
      ['Name the BTF file of this very kernel with --btf.'],
      first,
    );
  }
  if (/BTF is required|failed to find valid kernel BTF|Error loading vmlinux BTF/i.test(first.log)) {
    return new TlsnapError(
      'unavailable',
      '/sys/kernel/btf/vmlinux',
      'this kernel does not describe its types (no BTF)',
      [
        'Mount sysfs at /sys where it is missing, name a BTF file of this very kernel with --btf, or boot one with CONFIG_DEBUG_INFO_BTF=y.',
      ],
      first,
    );
  }
  return new TlsnapError(
    'unavailable',
    'this kernel',
    `does not take the BPF programs: ${first.message}; ${log}`,
    ['Live capture needs Linux 5.10 or later with CONFIG_BPF_SYSCALL, CONFIG_CGROUP_BPF and CONFIG_DEBUG_INFO_BTF.'],
    first,
  );
}

function attachError(cgroupPath: string, error: NativeError): TlsnapError {
  const subject = cgroupPath === '' ? 'the cgroup2 hierarchy' : cgroupPath;
  if (error.code === 'EPERM' || error.code === 'EACCES') {
    return new TlsnapError(
      'permission',
      subject,
      `may not be attached to: ${error.message}`,
      ['Run it as root, or with CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON.'],
      error,
    );
  }
  if (error.syscall === 'open the cgroup') {
    return new TlsnapError(
      'usage',
      subject,
      `cannot be opened: ${error.message}`,
      ['Name a directory of a cgroup2 mount.'],
      error,
    );
  }
  if (error.code === 'EBADF') {
    return new TlsnapError(
      'usage',
      subject,
      'is not a cgroup2 directory',
      ['Name a directory of a cgroup2 mount.'],
      error,
    );
  }
  return new TlsnapError(
    'unavailable',
    subject,
    error.message,
    ['Live capture needs Linux 5.10 or later with cgroup2 and CONFIG_CGROUP_BPF.'],
    error,
  );
}

/** <linux/btf.h>: in the byte order of the kernel that it describes. */
const BTF_MAGIC = 0xeb9f;
const ELF_MAGIC = Buffer.from('\x7fELF', 'latin1');
const RECORDER_MAPS = ['counters', 'fingerprints', 'recorder', 'slots', 'recorded_processes', 'recorded_exits'];
const PATHS = 'command lines, executable paths and namespace pids of processes gone before /proc was read';
const ENDS = 'when a process ended, and execs after its first connection';

/**
 * Tried in this order. BTF pointers are the cheaper way to the task and work under lockdown=confidentiality, which
 * forbids the probe helpers; kernels before 5.18 have only the probe helpers for cgroup programs. A kernel built without
 * tracepoints, or whose types are in a file (--btf), still gets the hellos.
 */
const TIERS: readonly Tier[] = [
  { name: 'task-btf', tunables: { tlsnap_task_btf: 1, tlsnap_probe_read: 1 }, tracepoints: true, missing: [] },
  { name: 'task-probe', tunables: { tlsnap_task_btf: 0, tlsnap_probe_read: 1 }, tracepoints: true, missing: [] },
  { name: 'lockdown', tunables: { tlsnap_task_btf: 1, tlsnap_probe_read: 0 }, tracepoints: true, missing: [PATHS] },
  {
    name: 'task-btf-only',
    tunables: { tlsnap_task_btf: 1, tlsnap_probe_read: 1 },
    tracepoints: false,
    missing: [ENDS],
  },
  {
    name: 'task-probe-only',
    tunables: { tlsnap_task_btf: 0, tlsnap_probe_read: 1 },
    tracepoints: false,
    missing: [ENDS],
  },
];

const LOG_LINES = 20;
