/**
 * Puts items that come nearly in order of time into it. A hello of several segments is whole later than it began, so hellos come
 * some places late; a timeline that is in order need not be sorted on disk at the end.
 */
export class ReorderWindow<Item> {
  readonly #emit: (timeNs: bigint, item: Item) => void;
  readonly #maxItems: number;
  readonly #maxWeight: number;
  readonly #items: { timeNs: bigint; item: Item; weight: number }[] = [];
  #weight = 0;

  /** @param maxWeight held at most, over all items */
  constructor(emit: (timeNs: bigint, item: Item) => void, maxItems = 4096, maxWeight = 16 << 20) {
    this.#emit = emit;
    this.#maxItems = maxItems;
    this.#maxWeight = maxWeight;
  }

  add(timeNs: bigint, item: Item, weight: number): void {
    const items = this.#items;
    let at = items.length;
    while (at > 0 && (items[at - 1]?.timeNs ?? 0n) > timeNs) at--;
    const one = { timeNs, item, weight };
    if (at === items.length) items.push(one);
    else items.splice(at, 0, one);
    this.#weight += weight;
    if (items.length >= this.#maxItems || this.#weight >= this.#maxWeight) this.#pass(items.length >> 1);
  }

  /** Passes on what is left. */
  end(): void {
    this.#pass(this.#items.length);
  }

  #pass(count: number): void {
    for (const { timeNs, item, weight } of this.#items.splice(0, Math.max(1, count))) {
      this.#weight -= weight;
      this.#emit(timeNs, item);
    }
  }
}
