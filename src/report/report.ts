import { type ComparedFeeds, extentOf, type FeedExtent } from '../intel/feed-gaps.js';
import type { Feed } from '../intel/load.js';
import type { RowMember } from '../snapshot/members.js';
import type { Snapshot } from '../snapshot/reader.js';
import { lineMarks } from './line-marks.js';
import { type HitCounts, Marks } from './marks.js';
import type { Chunk, LineRenderer, MarkedBatch, MarkedLines, RenderedLines, Renderer } from './renderer.js';

/** What was written, known when the last chunk was taken. */
export interface ReportSummary extends ComparedFeeds {
  /** Rows read, by member. */
  readonly rows: Readonly<Partial<Record<RowMember, number>>>;
  readonly hits: HitCounts;
  /** What the file does not show, one sentence each. */
  readonly notes: readonly string[];
}

/** Renders lines by a renderer of the report's, or by one like it that is elsewhere. */
export type RenderLines = (lines: AsyncIterable<MarkedLines>, render: LineRenderer) => AsyncIterable<RenderedLines>;

/** A snapshot in one format, in pieces as they are asked for: one pass, and never more than a batch of rows in memory. */
export class Report {
  readonly #snapshot: Snapshot;
  readonly #renderer: Renderer;
  readonly #render: RenderLines;
  readonly #marks: Marks;
  readonly #feeds: readonly FeedExtent[];
  readonly #rows: Partial<Record<RowMember, number>> = {};

  /** @param render renders the lines of a member, in their order; without it that is done where they are read */
  constructor(snapshot: Snapshot, renderer: Renderer, feeds: readonly Feed[], render: RenderLines = renderHere) {
    this.#snapshot = snapshot;
    this.#renderer = renderer;
    this.#render = render;
    this.#marks = new Marks(feeds);
    this.#feeds = feeds.map(extentOf);
  }

  async *chunks(): AsyncGenerator<Chunk, void> {
    const head = this.#renderer.head();
    if (head.length > 0) yield head;
    const render = this.#renderer.lines?.(this.#snapshot.name);
    yield* render ? this.#ofLines(render) : this.#ofRows();
    const { notCompared } = this.#marks;
    for (const chunk of this.#renderer.end({ feeds: this.#feeds, notCompared })) if (chunk.length > 0) yield chunk;
  }

  async *#ofLines(render: LineRenderer): AsyncGenerator<Chunk, void> {
    for (const member of this.#renderer.members) {
      for await (const { bytes, rows } of this.#render(this.#markedLines(member), render)) {
        this.#count(member, rows);
        yield bytes;
      }
    }
  }

  async *#markedLines(shown: RowMember): AsyncGenerator<MarkedLines, void> {
    const mark = lineMarks(this.#marks, this.#snapshot.name);
    for await (const lines of this.#snapshot.lines(this.#read())) {
      const marked = mark(lines);
      if (lines.member === shown) yield marked;
    }
  }

  async *#ofRows(): AsyncGenerator<Chunk, void> {
    const shown = new Set<RowMember>(this.#renderer.members);
    for await (const batch of this.#snapshot.batches(this.#read())) {
      const marked = this.#marks.mark(batch);
      if (!shown.has(batch.member)) continue;
      this.#count(batch.member, batch.rows.length);
      for (const some of inPieces(marked)) {
        const chunk = this.#renderer.rows(some);
        if (chunk.length > 0) yield chunk;
      }
    }
  }

  /** With feeds, everything that a feed can name is compared, whatever the format shows. */
  #read(): RowMember[] {
    return [...new Set([...this.#renderer.members, ...(this.#marks.compares ? COMPARED : [])])];
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
      feeds: this.#feeds,
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

/** What is made of so few rows is small enough for memory that is used again soon. */
function* inPieces(batch: MarkedBatch): Generator<MarkedBatch> {
  for (let from = 0; from < batch.rows.length; from += PIECE_ROWS) {
    const to = from + PIECE_ROWS;
    yield { ...batch, rows: batch.rows.slice(from, to), hits: batch.hits?.slice(from, to) ?? null } as MarkedBatch;
  }
}

/** Renders lines where they are read. */
async function* renderHere(
  lines: AsyncIterable<MarkedLines>,
  render: LineRenderer,
): AsyncGenerator<RenderedLines, void> {
  for await (const some of lines) yield render(some);
}

const PIECE_ROWS = 24;
const COMPARED = ['handshakes', 'processes'] as const;
