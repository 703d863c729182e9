import { setTimeout as sleep } from 'node:timers/promises';
import { type Instant, msBetween } from './instant.js';

/** Lets recorded time pass at a speed. */
export class Pace {
  readonly #speed: number;
  #first: Instant | undefined;
  #began = 0;

  /** Recorded seconds a second; `Infinity` never waits. */
  constructor(speed: number) {
    this.#speed = speed;
  }

  /** How long until the moment has come, in ms; zero where it has. The first moment is now. */
  wait(moment: Instant): number {
    if (this.#speed === Infinity) return 0;
    if (!this.#first) {
      this.#first = moment;
      this.#began = performance.now();
    }
    const due = this.#began + msBetween(this.#first, moment) / this.#speed;
    const ms = due - performance.now();
    // A timer cannot do less, and waiting later makes up for it.
    return ms >= 1 ? ms : 0;
  }

  /** Resolves when the moment has come. */
  async until(moment: Instant): Promise<void> {
    for (let ms = this.wait(moment); ms > 0; ms = this.wait(moment)) await sleep(Math.min(ms, LONGEST_TIMER_MS));
  }
}

const LONGEST_TIMER_MS = 2 ** 31 - 1;
