import type { Confidence } from '../intel/confidence.js';

export type FindingKind =
  /** A known browser's fingerprint from something that is no browser. */
  | 'browser-fingerprint'
  /** One executable with the hellos of two TLS libraries. */
  | 'second-tls-stack'
  /** A deleted executable, one in memory, or one in a directory that everybody may write to, that talks TLS. */
  | 'unusual-executable'
  /** A process that the kernel saw, and the listing of /proc leaves out. */
  | 'hidden-process';

/** Something that no per-process or per-packet tool alone can see. A reason to look, not a verdict. */
export interface Finding {
  readonly kind: FindingKind;
  /** One sentence. */
  readonly summary: string;
  readonly confidence: Confidence;
  /** The reasons for the confidence, the strongest first. */
  readonly why: readonly string[];
  readonly exe: string | null;
  readonly comm: string | null;
  /** Of the first process; the key of `processes.ndjson` together. */
  readonly pid: number | null;
  readonly startTimeNs: string | null;
  /** How many processes, where that is known. */
  readonly processes: number | null;
  /** `seq` of the first handshakes that show it, at most ten. */
  readonly seqs: readonly number[];
  /** How many handshakes there are in all. */
  readonly handshakes: number;
  /** The same for the same thing in another snapshot: without pids and times. */
  readonly key: string;
}
