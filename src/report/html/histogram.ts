import type { Handshake } from '../../snapshot/schema/handshake.js';
import { epochMs } from '../time.js';
import type { Timeline } from './page-data.js';

/** Counts hellos over a window. What lies outside of it is counted at its edge, and told. */
export class Histogram {
  outside = 0;
  readonly #startMs: number;
  readonly #stepMs: number;
  readonly #client: number[];
  readonly #server: number[];
  readonly #hit: number[];

  constructor(start: string, end: string) {
    const [from, to] = [epochMs(start) ?? 0, epochMs(end) ?? 0];
    const length = Math.max(1, to - from);
    this.#stepMs = STEPS_MS.find((step) => length / step <= MOST_INTERVALS) ?? Math.ceil(length / MOST_INTERVALS);
    this.#startMs = Math.floor(from / this.#stepMs) * this.#stepMs;
    const intervals = Math.max(1, Math.ceil((to - this.#startMs + 1) / this.#stepMs));
    [this.#client, this.#server, this.#hit] = [zeros(intervals), zeros(intervals), zeros(intervals)];
  }

  add({ time, kind }: Handshake, isHit: boolean): void {
    const ms = epochMs(time);
    const at = ms === null ? -1 : Math.floor((ms - this.#startMs) / this.#stepMs);
    const last = this.#client.length - 1;
    if (at < 0 || at > last) this.outside += 1;
    const interval = Math.min(last, Math.max(0, at));
    const counts = kind === 'client' ? this.#client : this.#server;
    counts[interval] = (counts[interval] ?? 0) + 1;
    if (isHit) this.#hit[interval] = (this.#hit[interval] ?? 0) + 1;
  }

  timeline(): Timeline {
    return {
      startMs: this.#startMs,
      stepMs: this.#stepMs,
      client: this.#client,
      server: this.#server,
      hit: this.#hit,
    };
  }
}

function zeros(length: number): number[] {
  return new Array<number>(length).fill(0);
}

const MOST_INTERVALS = 180;
/** Intervals that people count in, from 1 ms to a day. */
const STEPS_MS = [
  ...[1, 2, 5, 10, 20, 50, 100, 200, 500],
  ...[1, 2, 5, 10, 15, 30].map((seconds) => seconds * 1000),
  ...[1, 2, 5, 10, 15, 30].map((minutes) => minutes * 60_000),
  ...[1, 2, 3, 6, 12, 24].map((hours) => hours * 3_600_000),
];
