import { whyNotComparable, type ComparableType, type Indicator, type IndicatorType } from './indicator.js';
import type { Feed } from './load.js';

/** Indicators that were understood and that no snapshot can be compared with. */
export interface NotCompared {
  readonly type: IndicatorType;
  readonly reason: string;
  count: number;
}

/** What stands under one value: indicators that it fulfils alone, and pairs that it is a part of. */
export interface IndexEntry {
  readonly alone: readonly Indicator[];
  readonly pairs: readonly { readonly pair: Indicator; readonly part: number }[];
}

/** All comparable indicators of some feeds by type and value: comparing a value costs one look-up, however many there are. */
export class IndicatorIndex {
  /** How many indicators can hit, each repetition within a feed counted once. */
  readonly size: number;
  /** Left out because the same feed says the same again, or because 64 others name the same value. */
  readonly repeated: number;
  readonly notCompared: readonly NotCompared[];
  /** Comparable indicators by type. */
  readonly sizeByType: ReadonlyMap<IndicatorType, number>;
  /** Nearly all values are those of one indicator, which then stands for its entry. */
  readonly #entries = new Map<ComparableType, Map<string, Indicator | MutableEntry>>();

  constructor(feeds: readonly Pick<Feed, 'indicators'>[]) {
    const notCompared = new Map<string, NotCompared>();
    const sizes = new Map<IndicatorType, number>();
    let size = 0;
    let repeated = 0;
    for (const { indicators } of feeds)
      for (const indicator of indicators) {
        const reason = whyNotComparable(indicator);
        if (reason !== null) {
          const key = `${indicator.type}\0${reason}`;
          const known = notCompared.get(key);
          if (known) known.count++;
          else notCompared.set(key, { type: indicator.type, reason, count: 1 });
        } else if (this.#insert(indicator)) {
          size++;
          sizes.set(indicator.type, (sizes.get(indicator.type) ?? 0) + 1);
        } else repeated++;
      }
    this.size = size;
    this.repeated = repeated;
    this.notCompared = [...notCompared.values()];
    this.sizeByType = sizes;
  }

  /** What stands under a value, or undefined. */
  find(type: ComparableType, value: string): IndexEntry | undefined {
    const found = this.#entries.get(type)?.get(value);
    return found && 'feed' in found ? { alone: [found], pairs: NONE } : found;
  }

  /** Whether there is any indicator or condition of a type: without one, its values need not be derived. */
  has(type: ComparableType): boolean {
    return this.#entries.has(type);
  }

  /** All values of a type. */
  values(type: ComparableType): Iterable<string> {
    return this.#entries.get(type)?.keys() ?? [];
  }

  #insert(indicator: Indicator): boolean {
    if (indicator.type === 'pair') {
      const [first] = indicator.parts ?? [];
      const known = first && this.#entry(first.type as ComparableType, first.value).pairs;
      if (known && (known.length >= MAX_PER_VALUE || known.some(({ pair }) => saysTheSame(pair, indicator))))
        return false;
      for (const [part, { type, value }] of (indicator.parts ?? []).entries()) {
        // Comparable as a whole, so every part is.
        const entry = this.#entry(type as ComparableType, value);
        entry.pairs = extended(entry.pairs, { pair: indicator, part });
      }
      return true;
    }
    const type = indicator.type as ComparableType;
    const byValue = this.#byValue(type);
    if (!byValue.has(indicator.value)) {
      byValue.set(indicator.value, indicator);
      return true;
    }
    const entry = this.#entry(type, indicator.value);
    const { alone } = entry;
    if (alone.length >= MAX_PER_VALUE || alone.some((other) => saysTheSame(other, indicator))) return false;
    entry.alone = extended(alone, indicator);
    return true;
  }

  #entry(type: ComparableType, value: string): MutableEntry {
    const byValue = this.#byValue(type);
    const known = byValue.get(value);
    if (known && !('feed' in known)) return known;
    const entry: MutableEntry = { alone: known ? [known] : NONE, pairs: NONE };
    byValue.set(value, entry);
    return entry;
  }

  #byValue(type: ComparableType): Map<string, Indicator | MutableEntry> {
    let byValue = this.#entries.get(type);
    if (!byValue) this.#entries.set(type, (byValue = new Map<string, Indicator | MutableEntry>()));
    return byValue;
  }
}

interface MutableEntry {
  alone: readonly Indicator[];
  pairs: readonly { readonly pair: Indicator; readonly part: number }[];
}

/** Nearly all lists have one item. A literal has room for that one; an array that is pushed to gets room for seventeen. */
function extended<Item>(list: readonly Item[], item: Item): readonly Item[] {
  return list.length === 0 ? [item] : [...list, item];
}

function saysTheSame(one: Indicator, other: Indicator): boolean {
  return one.feed === other.feed && one.value === other.value && one.description === other.description;
}

/** A feed that repeats one value with ever new words must not make each event cost as much as the feed is long. */
const MAX_PER_VALUE = 64;
const NONE: readonly never[] = [];
