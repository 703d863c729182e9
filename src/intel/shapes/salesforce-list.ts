import { csvRows } from '../csv-rows.js';
import type { FeedContent } from '../feed.js';
import { copied } from '../lines.js';
import { normaliseValue } from '../values.js';

/**
 * salesforce/ja3 `osx-nix-ja3.csv`: CRLF, the licence as one quoted field of several lines at the top, no header, then
 * `md5,"App,App"`. Names the ordinary programs that were seen with a JA3.
 * https://github.com/salesforce/ja3/tree/master/lists
 */
export function readSalesforceList(bytes: Buffer, content: FeedContent): void {
  for (const { line, cells, text } of csvRows(bytes, content.problem.bind(content))) {
    if (text.startsWith('#') || text.trim() === '') continue;
    const [first = '', ...rest] = cells;
    if (/^copyright\b/i.test(first)) continue;
    const value = normaliseValue('ja3', first);
    if (value === undefined) {
      content.problem(line, text, 'its first field is no MD5');
      continue;
    }
    const names = rest
      .join(',')
      .split(',')
      .map((name) => name.trim())
      .filter((name) => name !== '');
    content.addChecked(line, 'ja3', copied(value), {
      description: names.join(', '),
      caveat: names.length > 1 ? `the list itself names ${names.length} programs with this fingerprint` : null,
    });
  }
}
