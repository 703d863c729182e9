import { counted } from '../counted.js';
import type { FeedSummary } from './feed-summary.js';
import { FEED_FORMATS } from './indicator.js';
import type { NotCompared } from './indicator-index.js';
import type { Feed } from './load.js';

/** How much of a feed was understood. */
export type FeedExtent = Pick<FeedSummary, 'path' | 'formatName' | 'indicators' | 'problemCount'>;

/** Feeds, and what of them no snapshot can be compared with. */
export interface ComparedFeeds {
  readonly feeds: readonly FeedExtent[];
  readonly notCompared: readonly NotCompared[];
}

export function extentOf({ path, format, indicators, problemCount }: Feed): FeedExtent {
  return { path, formatName: FEED_FORMATS[format], indicators: indicators.length, problemCount };
}

/** The lines that say what of the feeds was not compared; none where all of them was. */
export function feedGaps({ feeds, notCompared }: ComparedFeeds): string[] {
  return [
    ...feeds.flatMap(({ path, problemCount, indicators, formatName }) => [
      ...(problemCount > 0
        ? [`${path}: ${counted(problemCount, 'entry', 'entries')} not understood, see feed check`]
        : []),
      ...(indicators === 0 ? [`${path}: ${formatName}, without any indicator`] : []),
    ]),
    ...notCompared.map(({ count, type, reason }) => `not compared: ${count} ${type}, ${reason}`),
  ];
}
