import type { NotCompared } from '../intel/indicator-index.js';
import type { Feed } from '../intel/load.js';
import type { Batch, Snapshot } from '../snapshot/reader.js';
import type { RowMember } from '../snapshot/members.js';
import type { Excerpt } from '../snapshot/row-parser.js';
import { mostBytes, type TextPart, writeParts } from '../text-parts.js';
import { type HitCounts, Marks } from './marks.js';
import type { Chunk, Renderer } from './renderer.js';

/** What was written, known when the last chunk was taken. */
export interface ReportSummary {
  /** Rows read, by member. */
  readonly rows: Readonly<Partial<Record<RowMember, number>>>;
  readonly hits: HitCounts;
  readonly notCompared: readonly NotCompared[];
  /** What the file does not show, one sentence each. */
  readonly notes: readonly string[];
}

/** A snapshot in one format, in pieces as they are asked for: one pass, and never more than a batch of rows in memory. */
export class Report {
  readonly #snapshot: Snapshot;
  readonly #renderer: Renderer;
  readonly #marks: Marks;
  readonly #compares: boolean;
  readonly #rows: Partial<Record<RowMember, number>> = {};

  constructor(snapshot: Snapshot, renderer: Renderer, feeds: readonly Feed[]) {
    this.#snapshot = snapshot;
    this.#renderer = renderer;
    this.#marks = new Marks(feeds);
    this.#compares = feeds.length > 0;
  }

  async *chunks(): AsyncGenerator<Chunk, void> {
    const head = this.#renderer.head();
    if (head.length > 0) yield head;
    yield* this.#renderer.line && !this.#compares ? this.#ofLines(this.#renderer.line()) : this.#ofRows();
    for (const chunk of this.#renderer.end()) if (chunk.length > 0) yield chunk;
  }

  /** Nothing is compared, so that most rows need not be made. */
  async *#ofLines(line: Excerpt<readonly TextPart[]>): AsyncGenerator<Chunk, void> {
    for (const member of this.#renderer.members) {
      for await (const rows of this.#snapshot.excerpted(member, line)) {
        this.#count(member, rows.length);
        yield bytesOf(rows.map((row) => (isParts(row) ? row : [this.#text({ member, rows: [row] } as Batch)])));
      }
    }
  }

  #text(batch: Batch): string {
    return this.#renderer.rows({ ...batch, hits: null }).toString();
  }

  async *#ofRows(): AsyncGenerator<Chunk, void> {
    const shown = new Set<RowMember>(this.#renderer.members);
    // With feeds, everything that a feed can name is compared, whatever the format shows.
    const read = new Set<RowMember>([...shown, ...(this.#compares ? COMPARED : [])]);
    for await (const batch of this.#snapshot.batches([...read])) {
      const marked = this.#marks.mark(batch);
      if (!shown.has(batch.member)) continue;
      this.#count(batch.member, batch.rows.length);
      const chunk = this.#renderer.rows(marked);
      if (chunk.length > 0) yield chunk;
    }
  }

  #count(member: RowMember, rows: number): void {
    this.#rows[member] = (this.#rows[member] ?? 0) + rows;
  }

  /** Call it after the last chunk. */
  summary(): ReportSummary {
    const { hits, notCompared, forgottenPairs } = this.#marks;
    const unseen = COMPARED.map((member) => ({ member, count: this.#unseen(member) })).filter(({ count }) => count > 0);
    return {
      rows: this.#rows,
      hits,
      notCompared,
      notes: [
        ...unseen.map(
          ({ member, count }) =>
            `${count} hits of ${member} have no place in this file: --format csv --table matches has them all`,
        ),
        ...(forgottenPairs > 0 ? [`${forgottenPairs} half-met pairs had to be forgotten: too many connections`] : []),
        ...(this.#renderer.notes?.() ?? []),
      ],
    };
  }

  #unseen(member: 'handshakes' | 'processes'): number {
    return this.#renderer.shows.includes(member) ? 0 : this.#marks.hitsOf[member];
  }
}

function isParts(row: object): row is readonly TextPart[] {
  return Array.isArray(row);
}

function bytesOf(rows: readonly (readonly TextPart[])[]): Buffer {
  let most = 0;
  for (const parts of rows) most += mostBytes(parts);
  const bytes = Buffer.allocUnsafe(most);
  let end = 0;
  for (const parts of rows) end = writeParts(bytes, end, parts);
  return bytes.subarray(0, end);
}

const COMPARED = ['handshakes', 'processes'] as const;
