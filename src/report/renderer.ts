import type { Hit } from '../intel/hit.js';
import type { Batch } from '../snapshot/reader.js';
import type { RowMember } from '../snapshot/members.js';
import type { Excerpt } from '../snapshot/row-parser.js';
import type { TextPart } from '../text-parts.js';

/** Turns the rows of a snapshot into one format, batch by batch, in the order of the file. Writes nothing itself. */
export interface Renderer {
  /** The members whose rows it wants. */
  readonly members: readonly RowMember[];
  /** What it renders hits of; hits of other rows are counted, but are not in the output. */
  readonly shows: readonly ('handshakes' | 'processes')[];
  /** What stands before the first row. */
  head(): Chunk;
  rows(batch: MarkedBatch): Chunk;
  /**
   * What `rows` makes of one row without hits, straight from its line in the file and sooner; nothing for a line that must be
   * parsed. Of a renderer that wants one member and gives text.
   */
  readonly line?: () => Excerpt<readonly TextPart[]>;
  /** What stands after the last one. */
  end(): Iterable<Chunk>;
  /** Rows that could not be written, and why; told to the user. */
  readonly notes?: () => readonly string[];
}

/** Text, or bytes where the format is binary. */
export type Chunk = string | Buffer;

/** A batch, and the hits of its rows by their place in it; null where none of them hit. */
export type MarkedBatch = Batch & { readonly hits: readonly (readonly Hit[])[] | null };

export const NO_HITS: readonly Hit[] = [];
