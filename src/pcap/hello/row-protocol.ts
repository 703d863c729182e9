import type { SentError } from '../../errors.js';
import type { StagedMember } from '../../snapshot/members.js';

/** What the reading thread tells the thread that makes rows. */
export type ToRows =
  /** The bytes of a HelloBatch, of which `used` are filled with `count` hellos. */
  | { readonly kind: 'batch'; readonly bytes: SharedArrayBuffer; readonly used: number; readonly count: number }
  /** There are no more; the thread ends. */
  | { readonly kind: 'finish' };

/** What the thread that makes rows tells the reading thread. */
export type FromRows =
  /** A batch is dealt with, as far as it can be before later ones come. */
  | { readonly kind: 'taken' }
  /** All rows of a batch are made: its buffer may be filled again. */
  | { readonly kind: 'spare'; readonly bytes: SharedArrayBuffer }
  | { readonly kind: 'finished'; readonly member: StagedMember }
  | { readonly kind: 'failed'; readonly error: SentError };

export interface RowSettings {
  /** Where the timeline is staged; the file must not exist. */
  readonly path: string;
}
