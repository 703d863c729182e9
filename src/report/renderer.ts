import type { ComparedFeeds } from '../intel/feed-gaps.js';
import type { Hit } from '../intel/hit.js';
import type { RowMember } from '../snapshot/members.js';
import type { Batch, Lines } from '../snapshot/reader.js';

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
   * Makes of whole lines what `rows` makes of their rows, sooner. Of a renderer that wants one member. The name of the
   * snapshot is for messages.
   */
  readonly lines?: (snapshot: string) => LineRenderer;
  /** What stands after the last one. `compared` says how much of the feeds the hits are hits of. */
  end(compared: ComparedFeeds): Iterable<Chunk>;
  /** Rows that could not be written, and why; told to the user. */
  readonly notes?: () => readonly string[];
}

/**
 * Renders some lines of a member, whichever were rendered before.
 * @throws TlsnapError for a line that no snapshot has
 */
export type LineRenderer = (lines: MarkedLines) => RenderedLines;

/** Lines of one member, and the hits of those that have any, by the number of the line in the member, from 1. */
export interface MarkedLines extends Pick<Lines, 'bytes' | 'before'> {
  readonly hits: ReadonlyMap<number, readonly Hit[]>;
}

export interface RenderedLines {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly rows: number;
}

/** Text, or bytes where the format is binary. */
export type Chunk = string | Uint8Array;

/** A batch, and the hits of its rows by their place in it; null where none of them hit. */
export type MarkedBatch = Batch & { readonly hits: readonly (readonly Hit[])[] | null };

export const NO_HITS: readonly Hit[] = [];
