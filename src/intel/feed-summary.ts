import { FEED_FORMATS, whyNotComparable, type FeedFormat, type Indicator, type IndicatorType } from './indicator.js';
import type { FeedProblem, FeedSkip } from './feed.js';
import type { Feed } from './load.js';

/** What a feed holds, without its indicators. */
export interface FeedSummary {
  readonly path: string;
  readonly format: FeedFormat;
  readonly formatName: string;
  readonly sha256: string;
  readonly size: number;
  readonly packed: boolean;
  readonly encoding: string;
  readonly indicators: number;
  readonly byType: readonly TypeSummary[];
  /** The newest date that any indicator carries; null where none carries one. */
  readonly newest: string | null;
  /** The first 100,000 of `problemCount`. */
  readonly problems: readonly FeedProblem[];
  readonly problemCount: number;
  /** How many more there are than `problems` lists. */
  readonly problemsLeftOut: number;
  readonly skipped: readonly FeedSkip[];
}

export interface TypeSummary {
  readonly type: IndicatorType;
  count: number;
  /** Null where it can be compared with a snapshot. */
  readonly notCompared: string | null;
}

export function summarise(feed: Feed): FeedSummary {
  const { path, format, sha256, size, packed, encoding, problems, problemCount, skipped } = feed;
  return {
    path,
    format,
    formatName: FEED_FORMATS[format],
    sha256,
    size,
    packed,
    encoding,
    indicators: feed.indicators.length,
    byType: byType(feed.indicators),
    newest: newest(feed.indicators),
    problems,
    problemCount,
    problemsLeftOut: problemCount - problems.length,
    skipped,
  };
}

function byType(indicators: readonly Indicator[]): TypeSummary[] {
  const types = new Map<string, TypeSummary>();
  for (const indicator of indicators) {
    const notCompared = whyNotComparable(indicator);
    const key = `${indicator.type} ${notCompared ?? ''}`;
    const known = types.get(key);
    if (known) known.count++;
    else types.set(key, { type: indicator.type, count: 1, notCompared });
  }
  return [...types.values()].sort((a, b) => b.count - a.count);
}

function newest(indicators: readonly Indicator[]): string | null {
  let latest: string | null = null;
  for (const { firstSeen, lastSeen, listed } of indicators) {
    const date = lastSeen ?? listed ?? firstSeen;
    // All are RFC 3339 in UTC, whose order is that of the text.
    if (date !== null && (latest === null || date > latest)) latest = date;
  }
  return latest;
}
