import { TlsnapError } from '../errors.js';
import type { FeedFormat } from './indicator.js';
import { JsonCursor, JsonFault } from './json-cursor.js';
import { feedLines } from './lines.js';
import { ruleBody } from './suricata-rule.js';
import { decodeDatasetLine } from './shapes/suricata-dataset.js';
import { plainValues } from './shapes/plain-list.js';

/**
 * What shape a feed has, by its content alone: file names say nothing.
 * @throws TlsnapError of kind `input` where no shape fits
 */
export function detectFormat(path: string, bytes: Buffer): FeedFormat {
  const head = bytes.subarray(0, HEAD_BYTES);
  // The head nearly always tells, and what it tells the whole would tell too.
  const format = startsLikeJson(head) ? (jsonFormat(head) ?? jsonFormat(bytes)) : textFormat(head);
  if (format) return format;
  const empty = bytes.every((byte) => byte <= 0x20);
  throw new TlsnapError('input', path, empty ? 'is empty' : 'has none of the feed shapes that tlsnap understands', [
    'docs/intel.md lists the shapes. A list with one hash or name a line always works.',
  ]);
}

function startsLikeJson(bytes: Buffer): boolean {
  const first = bytes.subarray(0, 4096).toString('latin1').trimStart()[0];
  return first === '{' || first === '[';
}

function jsonFormat(bytes: Buffer): FeedFormat | undefined {
  const cursor = new JsonCursor(bytes);
  try {
    return formatOfValue(cursor);
  } catch (error) {
    if (error instanceof JsonFault) return undefined;
    throw error;
  }
}

/** Looks at names only, and at the first elements of a list: each shape is known by the names that only it has. */
function formatOfValue(cursor: JsonCursor): FeedFormat | undefined {
  if (cursor.kind() === 'array') {
    let seen = 0;
    for (const element of cursor.elements()) {
      const format = element.kind() === 'object' ? formatOfObject(element) : undefined;
      if (format || ++seen >= 20) return format;
    }
    return undefined;
  }
  return cursor.kind() === 'object' ? formatOfObject(cursor) : undefined;
}

function formatOfObject(cursor: JsonCursor): FeedFormat | undefined {
  let names = 0;
  for (const name of cursor.members()) {
    if (++names > 100) continue;
    // At the first sure name: to look at what follows would be to read a large feed twice.
    if (MISP_NAMES.has(name)) return 'misp';
    if (JA4DB_NAMES.has(name)) return 'ja4db';
    if (name === 'spec_version' || name === 'objects' || name === 'pattern') return 'stix';
    if (name === 'type' && cursor.kind() === 'scalar' && cursor.value() === 'bundle') return 'stix';
  }
  return undefined;
}

function textFormat(bytes: Buffer): FeedFormat | undefined {
  const votes = new Map<FeedFormat, number>();
  let looked = 0;
  for (const { text } of feedLines(bytes, () => undefined)) {
    const certain = certainFormat(text);
    if (certain) return certain;
    if (text.startsWith('#')) continue;
    const format = formatOfRow(text);
    if (format) votes.set(format, (votes.get(format) ?? 0) + 1);
    if (++looked >= MAX_ROWS) break;
  }
  const [best] = [...votes].sort((a, b) => b[1] - a[1]);
  // A text that merely mentions a name somewhere is no list.
  return best && best[1] * 10 >= looked ? best[0] : undefined;
}

/** Lines that only one shape has. */
function certainFormat(text: string): FeedFormat | undefined {
  if (/^#fields\tindicator\t|^#fields\t(?:.*\t)?indicator_type(?:\t|$)/.test(text)) return 'zeek-intel';
  if (/^#?\s*ja3_md5,firstseen,lastseen,listingreason\s*$/i.test(text)) return 'sslbl-ja3';
  if (/^#?\s*listingdate,sha1,listingreason\s*$/i.test(text)) return 'sslbl-sha1';
  if (/^"?application"?,"?library"?,"?device"?,"?os"?,"?ja4"?,/i.test(text)) return 'ja4plus-mapping';
  if (ruleBody(text.replace(/^#+\s*/, '')) !== null) return 'suricata-rules';
  return undefined;
}

function formatOfRow(text: string): FeedFormat | undefined {
  if (/^[0-9a-f]{32},\d{4}-\d\d-\d\d[^,]*,\d{4}-\d\d-\d\d[^,]*,/i.test(text)) return 'sslbl-ja3';
  if (/^\d{4}-\d\d-\d\d[^,]*,[0-9a-f]{40},/i.test(text)) return 'sslbl-sha1';
  // With a score behind the comma it is a Suricata reputation dataset, which the plain list reads.
  if (/^"?[0-9a-f]{32}"?,/i.test(text) && !/^[0-9a-f]{32},\d{1,5}$/i.test(text)) return 'salesforce-list';
  if (plainValues(text) !== undefined) return 'plain-list';
  return decodeDatasetLine(text) === undefined ? undefined : 'suricata-dataset';
}

const MISP_NAMES = new Set(['Event', 'Attribute', 'response', 'Object']);
const JA4DB_NAMES = new Set(['ja4_fingerprint', 'ja4_fingerprint_string', 'ja4s_fingerprint', 'ja4t_fingerprint']);
const HEAD_BYTES = 1024 * 1024;
const MAX_ROWS = 400;
