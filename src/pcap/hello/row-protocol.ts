import type { SentError } from '../../errors.js';
import type { StagedMember } from '../../snapshot/members.js';

/** What the reading thread tells the thread that makes rows. */
export type ToRows =
  /** Hellos as a HelloBatch, of which `used` bytes are filled. */
  | { readonly kind: 'batch'; readonly bytes: ArrayBuffer; readonly used: number }
  /** There are no more; the thread ends. */
  | { readonly kind: 'finish' };

/** What the thread that makes rows tells the reading thread. */
export type FromRows =
  /** The rows of a batch are made; its buffer may be filled again. */
  | { readonly kind: 'taken'; readonly bytes: ArrayBuffer }
  | { readonly kind: 'finished'; readonly member: StagedMember }
  | { readonly kind: 'failed'; readonly error: SentError };

export interface RowSettings {
  /** Where the timeline is staged; the file must not exist. */
  readonly path: string;
}
