import type { SessionOptions, Counters } from '../native/session.js';
import type { SentError } from '../errors.js';
import type { Note, StartNote } from './notes.js';

/** What the main thread tells the draining thread. */
export type ToDrain =
  /** Opens the spool with its first note, puts the programs on their hooks, and begins to drain. */
  | { readonly kind: 'attach'; readonly cgroupPath: string; readonly start: StartNote }
  | { readonly kind: 'note'; readonly note: Note }
  /** Takes the programs off, drains the rest, writes the last notes, and ends. */
  | { readonly kind: 'stop' }
  | { readonly kind: 'finish'; readonly notes: readonly Note[] };

/** What the draining thread tells the main thread. */
export type FromDrain =
  | {
      readonly kind: 'loaded';
      readonly tier: string;
      readonly missing: readonly string[];
      readonly programs: readonly { name: string; id: number; tag: string }[];
      readonly maps: readonly { name: string; id: number }[];
    }
  | { readonly kind: 'armed' }
  /** Whole process and exit records, back to back. */
  | { readonly kind: 'processes'; readonly records: Uint8Array }
  | { readonly kind: 'counters'; readonly counters: Counters; readonly spoolBytes: number }
  | { readonly kind: 'stopped'; readonly counters: Counters }
  | { readonly kind: 'finished'; readonly head: string; readonly records: number }
  | { readonly kind: 'failed'; readonly error: SentError };

export interface DrainSettings {
  readonly session: SessionOptions;
  readonly spoolDirectory: string;
  /** How often at least the spool is made durable, in ms. */
  readonly syncMs: number;
}
