import type { FeedContent } from '../feed.js';
import { copied, feedLines } from '../lines.js';
import { feedDate, normaliseValue } from '../values.js';

/**
 * abuse.ch SSLBL JA3 fingerprint list: `#` banner, the header in a comment, then
 * `ja3_md5,Firstseen,Lastseen,Listingreason`. Unquoted; the reason is the rest of the row, whatever it holds.
 * Times are UTC. https://sslbl.abuse.ch/blacklist/
 */
export function readSslblJa3(bytes: Buffer, content: FeedContent): void {
  for (const { number, text } of feedLines(bytes, content.problem.bind(content))) {
    if (text.startsWith('#') || text.startsWith('ja3_md5,') || text.trim() === '') continue;
    const first = text.indexOf(',');
    const second = first === -1 ? -1 : text.indexOf(',', first + 1);
    const third = second === -1 ? -1 : text.indexOf(',', second + 1);
    if (third === -1) {
      content.problem(number, text, 'has not the four fields ja3_md5,Firstseen,Lastseen,Listingreason');
      continue;
    }
    const value = normaliseValue('ja3', text.slice(0, first));
    if (value === undefined) {
      content.problem(number, text, 'its first field is no MD5');
      continue;
    }
    content.addChecked(number, 'ja3', copied(value), {
      description: copied(text.slice(third + 1).trim()),
      dates: { firstSeen: feedDate(text.slice(first + 1, second)), lastSeen: feedDate(text.slice(second + 1, third)) },
    });
  }
}
