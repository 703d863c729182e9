import { COVERAGE_VARIABLE } from './instrument.js';

/**
 * Which branches and functions were ever reached, and roughly how often in one run: as in AFL, once, twice, thrice, up to 7, 15, 31, 127
 * and more are different things to have seen, so a loop that turns more often counts as progress.
 */
export class CoverageMap {
  reached = 0;
  total = 0;
  #counters: number[][] = [];
  #seen: Uint8Array[] = [];

  /** Whether the run since the last call reached anything new; sets the counters back. */
  takeNew(): boolean {
    if (this.#counters.length === 0) this.#connect();
    let fresh = false;
    for (const [index, counters] of this.#counters.entries()) {
      const seen = this.#seen[index];
      if (seen === undefined) continue;
      for (let at = 0; at < counters.length; at++) {
        const count = counters[at] ?? 0;
        if (count === 0) continue;
        counters[at] = 0;
        const before = seen[at] ?? 0;
        const now = before | bucket(count);
        if (now === before) continue;
        if (before === 0) this.reached++;
        seen[at] = now;
        fresh = true;
      }
    }
    return fresh;
  }

  #connect(): void {
    const files = (globalThis as Record<string, unknown>)[COVERAGE_VARIABLE] as Record<string, FileCoverage>;
    // A process runs one target after another; the last file is the one that was loaded last.
    const file = Object.values(files).at(-1);
    if (file === undefined) throw new Error('fuzz: the target counts nothing');
    this.#counters = Object.values(file.b);
    this.#seen = this.#counters.map(({ length }) => new Uint8Array(length));
    this.total = this.#counters.reduce((sum, { length }) => sum + length, 0);
  }
}

interface FileCoverage {
  /** Of each branching point: how often each of its ways was taken. */
  readonly b: Readonly<Record<string, number[]>>;
}

function bucket(count: number): number {
  if (count < 4) return 1 << (count - 1);
  if (count < 8) return 8;
  if (count < 16) return 16;
  if (count < 32) return 32;
  return count < 128 ? 64 : 128;
}
