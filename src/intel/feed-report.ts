import { counted } from '../counted.js';
import { printable, table } from '../terminal.js';
import type { FeedSummary } from './feed-summary.js';

/** What a feed holds, for a person: its shape, its indicators by type, what was left out, and what was not understood. */
export function feedReport(feed: FeedSummary): string {
  const packing = [feed.packed ? "gzip'd" : null, feed.encoding === 'utf-8' ? null : feed.encoding].filter(Boolean);
  const newest = feed.newest === null ? 'no dates' : `newest ${feed.newest.slice(0, 10)}`;
  const title = [feed.formatName, ...packing, counted(feed.indicators, 'indicator'), newest].join(', ');
  const parts = [`${printable(feed.path)}: ${title}`];
  if (feed.byType.length > 0) {
    const rows = feed.byType.map(({ type, count, notCompared }) => [type, count, notCompared ?? 'yes']);
    parts.push(table(['type', 'count', 'compared'], rows));
  }
  if (feed.skipped.length > 0) {
    const rows = feed.skipped.map(({ reason, count, firstLine }) => [count, firstLine, reason]);
    parts.push(table(['left out', 'first line', 'why'], rows));
  }
  if (feed.problemCount > 0) {
    const rows = feed.problems.map(({ line, reason, text }) => [line, reason, text]);
    parts.push(table(['line', 'not understood', 'text'], rows));
    const more = feed.problemsLeftOut;
    if (more > 0)
      parts.push(
        `and ${counted(more, 'entry', 'entries')} more not understood, of ${feed.problemCount.toLocaleString('en')} in all`,
      );
  }
  return parts.join('\n\n');
}
