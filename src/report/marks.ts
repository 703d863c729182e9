import type { Confidence } from '../intel/confidence.js';
import { type NotCompared, IndicatorIndex } from '../intel/indicator-index.js';
import { ja4Forms } from '../intel/ja4-forms.js';
import type { ComparableHandshake, ComparableProcess, Hit } from '../intel/hit.js';
import type { Feed } from '../intel/load.js';
import { Matcher } from '../intel/matches.js';
import type { Batch } from '../snapshot/reader.js';
import type { MarkedBatch } from './renderer.js';

export type HitCounts = Record<Confidence | 'total', number>;

/** Compares the rows of a snapshot with feeds as they pass by, and counts. */
export class Marks {
  /** Whether there is a feed. */
  readonly compares: boolean;
  readonly #matcher: Matcher;
  readonly #index: IndicatorIndex;
  readonly hits: HitCounts = { total: 0, high: 0, medium: 0, low: 0 };
  /** By the kind of row. */
  readonly hitsOf = { handshakes: 0, processes: 0 };

  constructor(feeds: readonly Feed[]) {
    this.#index = new IndicatorIndex(feeds);
    this.#matcher = new Matcher(this.#index, { forms: ja4Forms() });
    this.compares = feeds.length > 0;
  }

  get notCompared(): readonly NotCompared[] {
    return this.#index.notCompared;
  }

  get forgottenPairs(): number {
    return this.#matcher.forgottenPairs;
  }

  /** Rows must come in the order of the file, each once. */
  handshake(row: ComparableHandshake): readonly Hit[] {
    return this.#counted('handshakes', this.#matcher.handshake(row));
  }

  process(row: ComparableProcess): readonly Hit[] {
    return this.#counted('processes', this.#matcher.process(row));
  }

  /** The same for the rows of a batch. */
  mark(batch: Batch): MarkedBatch {
    if (!this.compares || (batch.member !== 'handshakes' && batch.member !== 'processes')) {
      return { ...batch, hits: null };
    }
    const hits =
      batch.member === 'handshakes'
        ? batch.rows.map((row) => this.handshake(row))
        : batch.rows.map((row) => this.process(row));
    return { ...batch, hits: hits.some(({ length }) => length > 0) ? hits : null };
  }

  #counted(member: 'handshakes' | 'processes', found: readonly Hit[]): readonly Hit[] {
    this.hits.total += found.length;
    this.hitsOf[member] += found.length;
    for (const { confidence } of found) this.hits[confidence] += 1;
    return found;
  }
}
