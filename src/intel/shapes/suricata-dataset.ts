import type { FeedContent } from '../feed.js';
import { feedLines } from '../lines.js';
import type { IndicatorPart } from '../indicator.js';
import { normaliseValue, typesByForm } from '../values.js';
import { valueAs, type PlainListType } from './plain-list.js';

/**
 * A Suricata dataset of `type string`: base64 per line, with a reputation behind a comma in a `datarep`.
 * What 32 hex digits are, `as` says, as in a plain list. (A dataset of `type md5` or `sha256` is hexadecimal per line, and is read as a plain list.)
 * https://docs.suricata.io/en/latest/rules/datasets.html
 */
export function readSuricataDataset(bytes: Buffer, content: FeedContent, as?: PlainListType): void {
  for (const { number, text } of feedLines(bytes, content.problem.bind(content))) {
    if (text.trim() === '' || text.startsWith('#')) continue;
    const value = decodeDatasetLine(text);
    const entries = value === undefined ? [] : as ? valueAs(as, value) : datasetValues(value);
    for (const entry of entries) content.addChecked(number, entry.type, entry.value);
    if (entries.length > 0) continue;
    content.problem(number, text, `is not base64 of a ${as ? `${as} value` : 'fingerprint, hash, name or address'}`);
  }
}

/** The value that one line of a string dataset holds; undefined where it holds none that means something here. */
export function decodeDatasetLine(line: string): string | undefined {
  const encoded = /^\s*([A-Za-z0-9+/]{4,8192}={0,2})(?:,\d{1,5})?\s*$/.exec(line)?.[1];
  if (encoded === undefined || encoded.length % 4 !== 0) return undefined;
  const text = Buffer.from(encoded, 'base64').toString('latin1');
  return datasetValues(text).length > 0 ? text : undefined;
}

/** Rules for `ja3.string` and `ja3s.string` name datasets of these, too. */
function datasetValues(text: string): readonly IndicatorPart[] {
  for (const type of ['ja3String', 'ja3sString'] as const) {
    const value = normaliseValue(type, text);
    if (value !== undefined) return [{ type, value }];
  }
  return typesByForm(text);
}
