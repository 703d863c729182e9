import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { TlsnapError } from '../errors.js';

/** The addon's surface, as native/addon.cc defines it. */
export interface Addon {
  readonly Session: new (options: NativeSessionOptions) => NativeSession;
  /** Of the library that was linked, as `v1.1`. */
  readonly libbpfVersion: string;
  /** Reads what a flight recorder's pins hold; for reading only. */
  readonly Recorder: new (directory: string) => NativeRecorder;
  /** Stores a text in a map of its own, pinned as `map_facts` in a folder of a BPF file system. */
  pinFacts(directory: string, facts: string): void;
  clocks(): NativeClocks;
  loadedPrograms(): NativeProgram[];
  loadedLinks(): NativeLink[];
  /** Ids of the programs at a cgroup's hook, in the order in which they run. */
  attachedPrograms(cgroupPath: string, hook: 'egress' | 'ingress' | 'sockops'): number[];
  /** Whether programs that see packets may walk the task through BTF pointers; true where it cannot be told. */
  hasTaskBtf(): boolean;
  /** Whether the running kernel's BTF describes a function of this name. */
  kernelHasFunction(name: string): boolean;
  /** Closes a TCP connection in the network namespace at `netnsPath`, whose inode it must have. */
  destroyConnection(netnsPath: string, netns: number, connection: NativeConnection): void;
  structLayout(objectPath: string, name: string): StructLayout;
  enumValues(objectPath: string, name: string): Record<string, number>;
}

export interface NativeSessionOptions {
  objectPath: string;
  /** Empty for the running kernel's own BTF. */
  btfPath: string;
  /** A power of two and a multiple of the page size; 0 for the object's own. */
  ringBytes: number;
  /** By the variable's name; of an array its first elements. */
  tunables: Record<string, number | readonly number[]>;
  mapEntries: Record<string, number>;
  /** The programs in the order in which they are attached. */
  programs: string[];
  /** All of them again: each part is loaded by a thread of its own. */
  parts: string[][];
}

export interface NativeSession {
  /** Empty for the root of the hierarchy through a private mount. */
  attach(cgroupPath: string): void;
  /** The set of processes in scope. */
  addPid(pid: number): void;
  removePid(pid: number): void;
  /**
   * Fills `out` with whole records, each padded to 8 bytes; returns the bytes used. Where there are none it blocks up to
   * `timeoutMs`: until the ring fills up or, `untilWoken`, until the first record, whose sender pays for that.
   */
  drain(out: Uint8Array, timeoutMs: number, untilWoken: boolean): number;
  counters(): number[];
  /** The map of fingerprints: key and value of each entry, back to back. */
  fingerprints(): Buffer;
  programs(): { name: string; id: number; tag: string }[];
  maps(): { name: string; id: number }[];
  /** Of the attached programs those that are on their hooks no longer. */
  detachedPrograms(): string[];
  /** Pins these maps, and every attached program and its link, as `map_NAME`, `program_NAME` and `link_NAME`. */
  pin(directory: string, maps: readonly string[]): void;
  /** Takes the programs off their hooks; ring and counters can still be read. */
  detach(): void;
  close(): void;
}

export interface NativeRecorder {
  /** The text of pinFacts(). */
  facts(): string;
  counters(): number[];
  fingerprints(): Buffer;
  slots(): RecordedSlots;
  /** Process records by time, then exit records. */
  processes(): Buffer;
  /** Whether a program's link is still pinned and on its hook. */
  isAttached(program: string): boolean;
  /** How full the two maps are. */
  entries(): { fingerprints: number; processes: number };
}

/** What the slots of a flight recorder hold. */
export interface RecordedSlots {
  /** Whole records in the order in which they were made. */
  records: Buffer;
  /** Slots that hold one of these. */
  used: number;
  /** Slots taken since the recorder runs. */
  taken: number;
  /** CLOCK_BOOTTIME of the oldest record; 0 where there is none. */
  oldestBootNs: bigint;
}

export interface NativeClocks {
  realtime: bigint;
  monotonic: bigint;
  boottime: bigint;
  tai: bigint;
  state: number;
  status: number;
  offsetNs: number;
  maxErrorUs: number;
  estimatedErrorUs: number;
  taiOffsetS: number;
}

export interface NativeProgram {
  id: number;
  type: number;
  name: string;
  tag: string;
  uid: number;
  loadBootNs: bigint;
}

export interface NativeLink {
  id: number;
  type: number;
  programId: number;
  cgroupId: bigint;
  attachType: number;
}

/** Addresses as text, both of one family. */
export interface NativeConnection {
  localAddress: string;
  localPort: number;
  remoteAddress: string;
  remotePort: number;
}

export interface StructLayout {
  size: number;
  members: Record<string, { offset: number; size: number }>;
}

/** What the addon throws. */
export interface NativeError extends Error {
  code: string;
  errno: number;
  syscall: string;
  /** libbpf's messages of the failed call, the verifier's log included. */
  log: string;
}

export const BPF_OBJECT = fileURLToPath(new URL('../../bpf/build/tlsnap.bpf.o', import.meta.url));
/** The same for kernels from 6.2 on: see bpf/tlsnap-direct.bpf.c. */
export const DIRECT_BPF_OBJECT = fileURLToPath(new URL('../../bpf/build/tlsnap-direct.bpf.o', import.meta.url));
const LIBRARY = fileURLToPath(new URL('../../native/build/tlsnap.node', import.meta.url));

/** Loads the addon, when it is first needed: no offline command does. */
export function loadAddon(): Addon {
  requireLinux();
  try {
    return createRequire(import.meta.url)(LIBRARY) as Addon;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const missing = code === 'MODULE_NOT_FOUND';
    throw new TlsnapError(
      'unavailable',
      LIBRARY,
      missing ? 'the addon is not built' : `the addon does not load: ${message}`,
      missing
        ? ['Build it with: npm run build (it needs g++ and libbpf-dev).']
        : [
            `It needs libbpf 1 and Node ${process.versions.modules} for ${process.arch}: install libbpf1, or build it here.`,
          ],
      error,
    );
  }
}

/** Throws a TlsnapError where nothing can be captured, because this is another system. */
export function requireLinux(): void {
  if (process.platform !== 'linux') {
    throw new TlsnapError('unavailable', 'this host', `live capture needs Linux, and this is ${process.platform}`, [
      'Run it on the suspect Linux host; verify, replay, match, diff and report work here.',
    ]);
  }
}

export function isNativeError(error: unknown): error is NativeError {
  return error instanceof Error && 'errno' in error && 'log' in error;
}
