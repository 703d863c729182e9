import type { Confidence } from '../intel/confidence.js';
import { type NotCompared, IndicatorIndex } from '../intel/indicator-index.js';
import { ja4Forms } from '../intel/ja4-forms.js';
import type { Hit } from '../intel/hit.js';
import type { Feed } from '../intel/load.js';
import { Matcher } from '../intel/matches.js';
import type { Batch } from '../snapshot/reader.js';
import type { MarkedBatch } from './renderer.js';

export type HitCounts = Record<Confidence | 'total', number>;

/** Compares the rows of a snapshot with feeds as they pass by, and counts. */
export class Marks {
  readonly #matcher: Matcher | null;
  readonly #index: IndicatorIndex;
  readonly hits: HitCounts = { total: 0, high: 0, medium: 0, low: 0 };
  /** By the kind of row. */
  readonly hitsOf = { handshakes: 0, processes: 0 };

  constructor(feeds: readonly Feed[]) {
    this.#index = new IndicatorIndex(feeds);
    this.#matcher = feeds.length === 0 ? null : new Matcher(this.#index, { forms: ja4Forms() });
  }

  get notCompared(): readonly NotCompared[] {
    return this.#index.notCompared;
  }

  get forgottenPairs(): number {
    return this.#matcher?.forgottenPairs ?? 0;
  }

  /** Batches must come in the order of the file, each once. */
  mark(batch: Batch): MarkedBatch {
    const matcher = this.#matcher;
    if (!matcher || (batch.member !== 'handshakes' && batch.member !== 'processes')) return { ...batch, hits: null };
    const { member } = batch;
    const hits =
      batch.member === 'handshakes'
        ? batch.rows.map((row) => matcher.handshake(row))
        : batch.rows.map((row) => matcher.process(row));
    let some = false;
    for (const found of hits) {
      if (found.length === 0) continue;
      some = true;
      this.#count(member, found);
    }
    return { ...batch, hits: some ? hits : null };
  }

  #count(member: 'handshakes' | 'processes', found: readonly Hit[]): void {
    this.hits.total += found.length;
    this.hitsOf[member] += found.length;
    for (const { confidence } of found) this.hits[confidence] += 1;
  }
}
