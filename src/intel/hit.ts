import type { HandshakeExcerpt } from '../snapshot/handshake-excerpt.js';
import type { Handshake } from '../snapshot/schema/handshake.js';
import type { Process } from '../snapshot/schema/process.js';
import type { Confidence } from './confidence.js';
import type { Indicator } from './indicator.js';

/** Something in a snapshot that a feed names. */
export interface Hit {
  /** Of the handshake; null where a process was hit. */
  readonly time: string | null;
  readonly confidence: Confidence;
  /** The reasons for the confidence, the strongest first. */
  readonly why: readonly string[];
  readonly feed: string;
  readonly feedFormat: string;
  readonly indicator: Pick<Indicator, 'type' | 'value' | 'line' | 'description' | 'firstSeen' | 'lastSeen' | 'listed'>;
  /** What of the event or process was equal, and in which form where it is not the specified one (`ja4_o`, `suricata`). */
  readonly matched: { readonly field: string; readonly value: string; readonly form: string | null };
  /** `seq` of the handshake; null where a process was hit. */
  readonly event: number | null;
  readonly kind: 'client' | 'server' | null;
  readonly serverName: string | null;
  readonly process: HitProcess | null;
  readonly flow: Flow | null;
}

export type HitProcess = Pick<NonNullable<Handshake['process']>, 'pid' | 'comm' | 'exe'> & {
  readonly startTimeNs: string | null;
};
export type Flow = Handshake['flow'];

/** What of a row the comparison reads. */
export type ComparableHandshake = HandshakeExcerpt;
export type ComparableProcess = Pick<Process, 'pid' | 'startTimeNs' | 'comm' | 'exe' | 'exeSha256' | 'exeHashedFrom'>;
