import { type CapturedPacket, type Clock, NO_CLOCK } from './file/captured-packet.js';

type Time = Pick<CapturedPacket, 'clock' | 'timeHigh' | 'timeLow'>;

/**
 * The earliest and the latest time of some packets, whose order in a capture need not be that of time. As long as the clock
 * stays the same, only the halves of timestamps are compared: nanoseconds cost an object each.
 */
export class TimeSpan {
  /** How many packets had no time; they are in no span. */
  untimed = 0;
  #clock: Clock | null = null;
  #earliest = { high: 0, low: 0 };
  #latest = { high: 0, low: 0 };
  /** Of packets under other clocks than the present one. */
  #before: { readonly earliest: bigint; readonly latest: bigint } | null = null;

  note({ clock, timeHigh: high, timeLow: low }: Time): void {
    if (clock === NO_CLOCK) {
      this.untimed++;
    } else if (clock !== this.#clock) {
      this.#before = this.ns();
      this.#clock = clock;
      this.#earliest = { high, low };
      this.#latest = { high, low };
    } else if (high > this.#latest.high || (high === this.#latest.high && low > this.#latest.low)) {
      this.#latest.high = high;
      this.#latest.low = low;
    } else if (high < this.#earliest.high || (high === this.#earliest.high && low < this.#earliest.low)) {
      this.#earliest.high = high;
      this.#earliest.low = low;
    }
  }

  /** In nanoseconds since 1970 UTC; null before the first packet that has a time. */
  ns(): { readonly earliest: bigint; readonly latest: bigint } | null {
    if (this.#clock === null) return null;
    const earliest = this.#clock.toNs(this.#earliest.high, this.#earliest.low);
    const latest = this.#clock.toNs(this.#latest.high, this.#latest.low);
    const before = this.#before ?? { earliest, latest };
    return {
      earliest: earliest < before.earliest ? earliest : before.earliest,
      latest: latest > before.latest ? latest : before.latest,
    };
  }
}
