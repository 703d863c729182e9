import type { FeedContent } from '../feed.js';
import { copied, feedLines } from '../lines.js';
import { feedDate, normaliseValue } from '../values.js';

/**
 * abuse.ch SSLBL certificate list: `Listingdate,SHA1,Listingreason`, unquoted. The reason may hold commas, so a row is
 * split at its first two. The hashes are of certificates. https://sslbl.abuse.ch/blacklist/
 */
export function readSslblSha1(bytes: Buffer, content: FeedContent): void {
  for (const { number, text } of feedLines(bytes, content.problem.bind(content))) {
    if (text.startsWith('#') || /^listingdate,/i.test(text) || text.trim() === '') continue;
    const first = text.indexOf(',');
    const second = first === -1 ? -1 : text.indexOf(',', first + 1);
    if (second === -1) {
      content.problem(number, text, 'has not the three fields Listingdate,SHA1,Listingreason');
      continue;
    }
    const value = normaliseValue('certSha1', text.slice(first + 1, second));
    if (value === undefined) {
      content.problem(number, text, 'its second field is no SHA-1');
      continue;
    }
    content.addChecked(number, 'certSha1', copied(value), {
      description: copied(text.slice(second + 1).trim()),
      dates: { listed: feedDate(text.slice(0, first)) },
    });
  }
}
