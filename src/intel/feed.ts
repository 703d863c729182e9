import { TlsnapError } from '../errors.js';
import { FeedIndicator, type EntryFacts } from './feed-indicator.js';
import {
  type FeedSource,
  type Indicator,
  type IndicatorPart,
  type IndicatorType,
  type SimpleType,
} from './indicator.js';
import { copied } from './lines.js';
import { normaliseValue } from './values.js';

/** One entry that was not understood. It costs only itself. */
export interface FeedProblem {
  readonly line: number;
  /** The start of it, at most 160 characters. */
  readonly text: string;
  readonly reason: string;
}

/** Entries that were understood and left out, by reason. */
export interface FeedSkip {
  readonly reason: string;
  count: number;
  readonly firstLine: number;
}

/** What a reader fills while it goes through a feed: indicators, what it did not understand, and what it left out. */
export class FeedContent {
  readonly indicators: Indicator[] = [];
  /** The first 100,000; `problemCount` counts all. */
  readonly problems: FeedProblem[] = [];
  problemCount = 0;
  readonly #skipped = new Map<string, FeedSkip>();
  readonly #source: FeedSource;

  constructor(source: FeedSource) {
    this.#source = source;
  }

  get skipped(): readonly FeedSkip[] {
    return [...this.#skipped.values()];
  }

  /** Adds an indicator whose value is not checked yet; a value without its type's form becomes a problem. */
  add(line: number, type: SimpleType, text: string, facts: EntryFacts = {}): void {
    const value = normaliseValue(type, text);
    if (value === undefined) this.problem(line, text, `is no ${type} value`);
    else this.addChecked(line, type, value, facts);
  }

  /** Adds an indicator whose value is in its normal form already. */
  addChecked(line: number, type: SimpleType, value: string, facts: EntryFacts = {}): void {
    this.#push(line, type, value, null, facts);
  }

  /** Adds what one entry demands together: a pair, or the indicator itself where only one condition is left. */
  addAll(line: number, parts: readonly IndicatorPart[], facts: EntryFacts = {}): void {
    const distinct = parts.length === 1 ? parts : withoutRepetitions(parts);
    const [first, second] = distinct;
    if (!first) return;
    if (!second) this.#push(line, first.type, first.value, null, facts);
    else this.#push(line, 'pair', distinct.map((part) => part.value).join(' + '), distinct, facts);
  }

  problem(line: number, text: string, reason: string): void {
    this.problemCount++;
    if (this.problems.length >= MAX_PROBLEMS) return;
    this.problems.push({ line, text: copied(text.length > 160 ? `${text.slice(0, 159)}…` : text), reason });
  }

  skip(line: number, reason: string): void {
    const known = this.#skipped.get(reason);
    if (known) known.count++;
    else if (this.#skipped.size < MAX_SKIP_REASONS) this.#skipped.set(reason, { reason, count: 1, firstLine: line });
    else if (reason !== OTHER_REASONS) this.skip(line, OTHER_REASONS);
    else this.#skipped.set(reason, { reason, count: 1, firstLine: line });
  }

  #push(
    line: number,
    type: IndicatorType,
    value: string,
    parts: readonly IndicatorPart[] | null,
    facts: EntryFacts,
  ): void {
    if (this.indicators.length >= MAX_INDICATORS) {
      const detail = `holds more than ${MAX_INDICATORS.toLocaleString('en')} indicators`;
      throw new TlsnapError('input', this.#source.path, detail, ['Split the feed.']);
    }
    this.indicators.push(new FeedIndicator(type, value, parts, this.#source, line, facts));
  }
}

function withoutRepetitions(parts: readonly IndicatorPart[]): IndicatorPart[] {
  return parts.filter(
    (part, at) => parts.findIndex((other) => other.type === part.type && other.value === part.value) === at,
  );
}

const MAX_PROBLEMS = 100_000;
const MAX_SKIP_REASONS = 200;
const MAX_INDICATORS = 1_000_000;
const OTHER_REASONS = 'other reasons';
