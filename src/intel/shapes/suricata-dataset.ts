import type { FeedContent } from '../feed.js';
import { feedLines } from '../lines.js';
import { typesByForm } from '../values.js';

/**
 * A Suricata dataset of `type string`: base64 per line, with a reputation behind a comma in a `datarep`.
 * (A dataset of `type md5` or `sha256` is hexadecimal per line, and is read as a plain list.)
 * https://docs.suricata.io/en/latest/rules/datasets.html
 */
export function readSuricataDataset(bytes: Buffer, content: FeedContent): void {
  for (const { number, text } of feedLines(bytes, content.problem.bind(content))) {
    if (text.trim() === '' || text.startsWith('#')) continue;
    const value = decodeDatasetLine(text);
    if (value === undefined) {
      content.problem(number, text, 'is not base64 of a fingerprint, hash, name or address');
      continue;
    }
    for (const entry of typesByForm(value)) content.addChecked(number, entry.type, entry.value);
  }
}

/** The value that one line of a string dataset holds; undefined where it holds none that means something here. */
export function decodeDatasetLine(line: string): string | undefined {
  const encoded = /^\s*([A-Za-z0-9+/]{4,8192}={0,2})(?:,\d{1,5})?\s*$/.exec(line)?.[1];
  if (encoded === undefined || encoded.length % 4 !== 0) return undefined;
  const text = Buffer.from(encoded, 'base64').toString('latin1');
  return typesByForm(text).length > 0 ? text : undefined;
}
