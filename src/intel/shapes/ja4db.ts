import type { FeedContent } from '../feed.js';
import type { IndicatorPart, SimpleType } from '../indicator.js';
import { JsonCursor } from '../json-cursor.js';
import { jsonEntries } from '../json-entries.js';
import { countOf, flagOf, joined, textOf, type JsonObject } from '../json-facts.js';
import { ja4Form, normaliseValue } from '../values.js';

/**
 * ja4db: an array of objects, or one object a line. `null` and `""` both mean none. An object records what was
 * seen of one program; its fingerprints stand for themselves. `ja4_fingerprint_string` is the raw form of `ja4_fingerprint`, not a second condition.
 * https://ja4db.com
 */
export function readJa4db(bytes: Buffer, content: FeedContent): void {
  const cursor = new JsonCursor(bytes);
  while (cursor.kind() !== 'end') {
    for (const { line, entry } of jsonEntries(cursor, content, 'is no object')) readEntry(line, entry, content);
  }
}

function readEntry(line: number, entry: JsonObject, content: FeedContent): void {
  const parts: IndicatorPart[] = [];
  for (const [field, type] of FIELDS) {
    const text = textOf(entry[field]);
    if (text === null) continue;
    const part = type === 'ja4' ? ja4Form(text) : { type, value: normaliseValue(type, text) };
    if (part?.value === undefined) {
      content.problem(line, text, `its ${field} is no ${type}`);
      return;
    }
    parts.push({ type: part.type, value: part.value });
  }
  const raw = textOf(entry['ja4_fingerprint_string']);
  if (raw !== null && !parts.some((part) => part.type === 'ja4' || part.type === 'ja4r')) {
    const form = ja4Form(raw);
    if (form === undefined) {
      content.problem(line, raw, 'its ja4_fingerprint_string is no raw JA4');
      return;
    }
    parts.unshift(form);
  }
  if (parts.length === 0) {
    content.skip(line, 'an entry without a fingerprint');
    return;
  }
  const description = describe(entry);
  const verified = flagOf(entry['verified']);
  const observations = countOf(entry['observation_count']);
  for (const { type, value } of parts) {
    const caveat = parts.length > 1 ? seenTogether(type, parts) : null;
    content.addChecked(line, type, value, { description, verified, observations, caveat });
  }
}

function seenTogether(type: SimpleType, parts: readonly IndicatorPart[]): string | null {
  const others = parts.filter((other) => other.type !== type).map((other) => other.type);
  return others.length > 0 ? `the entry was seen together with a ${others.join(', ')}` : null;
}

function describe(entry: JsonObject): string {
  const name = joined([textOf(entry['application']), textOf(entry['library'])]);
  const where = joined([textOf(entry['device']), textOf(entry['os'])]);
  const agent = name === '' ? textOf(entry['user_agent_string']) : null;
  return joined([name, where, agent, textOf(entry['certificate_authority']), textOf(entry['notes'])], '; ');
}

const FIELDS: readonly (readonly [string, SimpleType])[] = [
  ['ja4_fingerprint', 'ja4'],
  ['ja4s_fingerprint', 'ja4s'],
  ['ja4h_fingerprint', 'ja4h'],
  ['ja4x_fingerprint', 'ja4x'],
  ['ja4t_fingerprint', 'ja4t'],
  ['ja4ts_fingerprint', 'ja4ts'],
  ['ja4tscan_fingerprint', 'ja4tscan'],
];
