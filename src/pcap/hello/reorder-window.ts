/**
 * Puts items that come nearly in order of time into it. A hello of several segments is whole later than it began, so hellos come
 * some places late; a timeline that is in order need not be sorted on disk at the end. Items are numbers: objects would wait long
 * enough to be moved to the old generation, and make the collector look through all of it a few times a second.
 */
export class ReorderWindow {
  readonly #emit: TimedItem;
  readonly #seconds: Float64Array;
  readonly #nanos: Uint32Array;
  readonly #items: Float64Array;
  #size = 0;

  /** @param maxItems held at most */
  constructor(emit: TimedItem, maxItems = 4096) {
    this.#emit = emit;
    this.#seconds = new Float64Array(maxItems);
    this.#nanos = new Uint32Array(maxItems);
    this.#items = new Float64Array(maxItems);
  }

  add(seconds: number, nanos: number, item: number): void {
    let at = this.#size++;
    for (; at > 0 && this.#isLater(at - 1, seconds, nanos); at--) {
      this.#put(at, this.#seconds[at - 1] ?? 0, this.#nanos[at - 1] ?? 0, this.#items[at - 1] ?? 0);
    }
    this.#put(at, seconds, nanos, item);
    if (this.#size === this.#items.length) this.passHalf();
  }

  /** Passes on the earlier half, or the last one. */
  passHalf(): void {
    this.#pass(Math.ceil(this.#size / 2));
  }

  /** Passes on what is left. */
  end(): void {
    this.#pass(this.#size);
  }

  #isLater(at: number, seconds: number, nanos: number): boolean {
    const second = this.#seconds[at] ?? 0;
    return second > seconds || (second === seconds && (this.#nanos[at] ?? 0) > nanos);
  }

  #put(at: number, seconds: number, nanos: number, item: number): void {
    this.#seconds[at] = seconds;
    this.#nanos[at] = nanos;
    this.#items[at] = item;
  }

  #pass(count: number): void {
    for (let at = 0; at < count; at++) {
      this.#emit(this.#seconds[at] ?? 0, this.#nanos[at] ?? 0, this.#items[at] ?? 0);
    }
    for (const column of [this.#seconds, this.#nanos, this.#items]) column.copyWithin(0, count, this.#size);
    this.#size -= count;
  }
}

/** Takes an item at a time: seconds since 1970 UTC, and nanoseconds of that second. */
export type TimedItem = (seconds: number, nanos: number, item: number) => void;
