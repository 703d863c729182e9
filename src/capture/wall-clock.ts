import { formatTimeNs } from '../snapshot/time-text.js';
import type { Manifest } from '../snapshot/schema/manifest.js';

type ClockReading = NonNullable<Manifest['clocks']>['start'];

/**
 * Turns the kernel's CLOCK_BOOTTIME into wall-clock time by the reading at the window's start. A wall clock that is set
 * during the window does not bend the timeline; the manifest's clocks at start and end show that it was set.
 */
export class WallClock {
  readonly #offset: bigint;

  constructor({ realtime, boottime }: ClockReading) {
    this.#offset = BigInt(realtime) - BigInt(boottime);
  }

  /** Nanoseconds since 1970. */
  timeNs(bootTimeNs: bigint): bigint {
    return bootTimeNs + this.#offset;
  }

  /** RFC 3339, UTC, nanoseconds. */
  format(bootTimeNs: bigint): string {
    return formatTimeNs(this.timeNs(bootTimeNs));
  }
}
