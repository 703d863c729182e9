import { directionOf, type FeedSource, type Indicator, type IndicatorPart, type IndicatorType } from './indicator.js';
import { feedDate, type WrittenDate } from './values.js';

/** What a feed may say of an entry besides its value; whatever is left out is not known. */
export interface EntryFacts extends Partial<
  Pick<Indicator, 'description' | 'direction' | 'validUntil' | 'verified' | 'observations' | 'caveat'>
> {
  readonly dates?: EntryDates;
}

/** As the feed writes them. */
export type EntryDates = Readonly<Partial<Record<'firstSeen' | 'lastSeen' | 'listed', WrittenDate>>>;

/** An indicator as a feed gives it. Its dates are read when somebody asks for them: of most entries nobody does. */
export class FeedIndicator implements Indicator {
  readonly type: IndicatorType;
  readonly value: string;
  readonly parts: readonly IndicatorPart[] | null;
  readonly feed: FeedSource;
  readonly line: number;
  readonly direction: Indicator['direction'];
  readonly description: string;
  readonly validUntil: string | null;
  readonly verified: boolean | null;
  readonly observations: number | null;
  readonly caveat: string | null;
  readonly #dates: EntryDates;

  constructor(
    type: IndicatorType,
    value: string,
    parts: readonly IndicatorPart[] | null,
    feed: FeedSource,
    line: number,
    facts: EntryFacts,
  ) {
    const { description = '' } = facts;
    this.type = type;
    this.value = value;
    this.parts = parts;
    this.feed = feed;
    this.line = line;
    this.direction = facts.direction ?? directionOf(type);
    this.description =
      description.length > MAX_DESCRIPTION ? `${description.slice(0, MAX_DESCRIPTION - 1)}…` : description;
    this.validUntil = facts.validUntil ?? null;
    this.verified = facts.verified ?? null;
    this.observations = facts.observations ?? null;
    this.caveat = facts.caveat ?? null;
    this.#dates = facts.dates ?? NO_DATES;
  }

  get firstSeen(): string | null {
    return feedDate(this.#dates.firstSeen);
  }

  get lastSeen(): string | null {
    return feedDate(this.#dates.lastSeen);
  }

  get listed(): string | null {
    return feedDate(this.#dates.listed);
  }
}

const NO_DATES: EntryDates = {};
const MAX_DESCRIPTION = 500;
