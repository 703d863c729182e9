import type { Hit } from '../intel/hit.js';
import type { Difference } from '../snapshot/rederivation.js';
import type { Handshake } from '../snapshot/schema/handshake.js';
import type { Process } from '../snapshot/schema/process.js';

/** Something that happens in a replay. `time` never goes back, except where the recorded timeline itself does. */
export type ReplayEvent = ProcessAppears | HelloSeen | Differs | Matches | ProcessVanishes;

/** A process takes part in a connection for the first time; or it was there before, then at the window's start. */
export interface ProcessAppears {
  readonly type: 'process';
  readonly time: string;
  readonly process: ReplayProcess;
}

export interface ProcessVanishes {
  readonly type: 'exit';
  readonly time: string;
  readonly process: ReplayProcess;
  /** As in wait(2). */
  readonly exitCode: number | null;
}

/** A hello, with what its raw bytes give. The bytes themselves are in the snapshot, under the same `seq`. */
export interface HelloSeen extends Pick<Handshake, 'seq' | 'time' | 'kind' | 'role' | 'transport' | 'flow' | 'error'> {
  readonly type: 'handshake';
  readonly process: Handshake['process'];
  readonly afterRetry: boolean;
  readonly complete: boolean;
  /** Derived anew. */
  readonly tls: Handshake['tls'];
  /** Derived anew; null where the hello gives none. */
  readonly fingerprints: Handshake['fingerprints'];
  /** Whether what was recorded is what the raw bytes give. */
  readonly asRecorded: boolean;
  /** The same for what the kernel computed; null where it computed nothing, or there is nothing to compare it with. */
  readonly asInKernel: boolean | null;
}

/** Follows the hello that is meant: something recorded is not what the raw bytes give, or not in order. */
export interface Differs {
  readonly type: 'differs';
  readonly time: string;
  readonly seq: number;
  readonly differences: readonly Difference[];
}

/** Follows the hello or the process that a feed names. */
export interface Matches {
  readonly type: 'match';
  readonly time: string;
  readonly hit: Hit;
}

/** What a replay tells of a process, and a comparison of executables needs. */
export type ReplayProcess = Pick<
  Process,
  | 'pid'
  | 'startTimeNs'
  | 'ppid'
  | 'uid'
  | 'comm'
  | 'exe'
  | 'exeDeleted'
  | 'exeMemfd'
  | 'exeSha256'
  | 'exeHashedFrom'
  | 'cmdline'
> & { readonly container: string | null };

/** Turns events into text as they come; `head` is what stands before the first. Nothing is kept. */
export interface ReplayOutput {
  readonly head: string;
  text(events: readonly ReplayEvent[]): string;
}
