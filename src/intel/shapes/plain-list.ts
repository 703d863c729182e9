import type { FeedContent } from '../feed.js';
import type { IndicatorPart, SimpleType } from '../indicator.js';
import { feedLines } from '../lines.js';
import { ja4Form, normaliseValue, typesByForm } from '../values.js';

/** What the user may say that the hashes of a plain list are. */
export const PLAIN_LIST_TYPES = ['ja3', 'ja3s', 'ja3-sha256', 'md5', 'sha1', 'sha256'] as const;
export type PlainListType = (typeof PLAIN_LIST_TYPES)[number];

/**
 * One value a line; `#` starts a comment, and one behind a value is its description. A value may be followed by a score
 * after a comma (Suricata `datarep`) or by a name after blanks (`sha256sum`). 32 hex digits are a JA3 unless `as` says
 * otherwise; 64 are compared as an executable's SHA-256 and as a JA3 SHA-256, which cannot be confused.
 */
export function readPlainList(bytes: Buffer, content: FeedContent, as?: PlainListType): void {
  for (const { number, text } of feedLines(bytes, content.problem.bind(content))) {
    if (/^\s*(?:#|$)/.test(text)) continue;
    const entry = plainValues(text, as);
    if (entry === undefined) {
      content.problem(number, text, as ? `is no ${as} value` : 'is no hash, JA4, name or address');
      continue;
    }
    for (const { type, value } of entry.values) {
      content.addChecked(number, type, value, { description: entry.description });
    }
  }
}

/** The value of one line and what is written behind it; undefined where the line is no entry of such a list. */
export function plainValues(
  line: string,
  as?: PlainListType,
): { values: readonly IndicatorPart[]; description: string } | undefined {
  const match = ENTRY.exec(line);
  const token = match?.[1];
  if (token === undefined) return undefined;
  // A raw JA4 has commas of its own.
  const text = ja4Form(token) ? token : token.replace(SCORE, '');
  const rest = match?.[2] ?? '';
  const values = as ? valueAs(as, text) : typesByForm(text);
  if (values.length === 0) return undefined;
  // Prose may begin with something like a name; only a hash can have words behind it.
  if (rest !== '' && !rest.startsWith('#') && !/^[0-9a-fA-F]{32,}$/.test(text) && ja4Form(text) === undefined) {
    return undefined;
  }
  return { values, description: rest.replace(/^[#*]\s*/, '').trim() };
}

/** The value that a text is, where the user says of what; none where it has not that form. */
export function valueAs(as: PlainListType, text: string): readonly IndicatorPart[] {
  const type: SimpleType = as === 'ja3-sha256' ? 'ja3Sha256' : as;
  const value = normaliseValue(type, text);
  return value === undefined ? [] : [{ type, value }];
}

/** A value with an optional score, and the rest. */
const ENTRY = /^\s*([^\s#]+)(?:\s+(.*))?$/;
const SCORE = /,\d{1,5}$/;
