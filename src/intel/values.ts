import { isIP } from 'node:net';
import { formatAddress, parseAddress } from '../snapshot/address-text.js';
import type { SimpleType } from './indicator.js';

/** Normalises and checks one value of a feed as `type`; undefined where it does not have that type's form. */
export function normaliseValue(type: SimpleType, text: string): string | undefined {
  const value = text.trim();
  const form = FORMS[type];
  if (form === undefined) return value.length > 0 && value.length <= MAX_VALUE ? value : undefined;
  return form(value);
}

/** The value of a JA4+ field (`ja4`, `ja4r`): its type and normal form by its own shape; undefined if it is neither. */
export function ja4Form(text: string): { type: 'ja4' | 'ja4r'; value: string } | undefined {
  const value = text.trim();
  // The ALPN characters are case-sensitive; the rest of a JA4 is lowercase by specification.
  if (JA4.test(value)) return { type: 'ja4', value };
  if (value.length <= MAX_VALUE && JA4_RAW.test(value)) return { type: 'ja4r', value };
  return undefined;
}

/** What a bare value can be by its form alone. 32 hex is a JA3 unless the user says otherwise; 64 hex has two readings. */
export function typesByForm(text: string): readonly { type: SimpleType; value: string }[] {
  const length = text.length;
  if ((length === 32 || length === 40 || length === 64) && HEX.test(text)) {
    const value = text.toLowerCase();
    if (length === 32) return [{ type: 'ja3', value }];
    if (length === 40) return [{ type: 'sha1', value }];
    return [
      { type: 'sha256', value },
      { type: 'ja3Sha256', value },
    ];
  }
  const ja4 = ja4Form(text);
  if (ja4) return [ja4];
  const ip = ipAddress(text);
  if (ip !== undefined) return [{ type: 'ip', value: ip }];
  const name = hostName(text);
  return name !== undefined && /\.[a-z][a-z0-9-]*[a-z0-9]$/.test(name) ? [{ type: 'serverName', value: name }] : [];
}

/** A DNS name as an SNI carries it: lowercase, without the final dot. RFC 1123, and `_` because it occurs. */
export function hostName(text: string): string | undefined {
  if (text.length > 255) return undefined;
  const name = text.toLowerCase().replace(/\.$/, '');
  return HOST_NAME.test(name) ? name : undefined;
}

/** An address as a snapshot writes it: RFC 5952, and a v4-mapped one as IPv4. Networks are not addresses. */
export function ipAddress(text: string): string | undefined {
  const version = isIP(text);
  if (version === 4) return text;
  if (version !== 6 || text.includes('%')) return undefined;
  const bytes = parseAddress(text);
  return bytes ? formatAddress(bytes) : undefined;
}

/** A date as a feed writes it; `feedDate` reads it. */
export type WrittenDate = string | number | null;

/** What can be a date, to be kept until it is asked for; null where it can be none. */
export function writtenDate(value: unknown): WrittenDate {
  if (typeof value === 'number') return value;
  return typeof value === 'string' && value.length <= MAX_DATE ? value : null;
}

/** A feed's date as RFC 3339 UTC; null where it is none. Takes `2017-07-14 18:08:15` (UTC), RFC 3339 and Unix seconds. */
export function feedDate(value: unknown): string | null {
  if (typeof value === 'string' && PLAIN_DATE.test(value)) {
    const zone = value.endsWith('Z') ? 1 : value.endsWith('+00:00') ? 6 : 0;
    if (zone === 1 && value[10] === 'T') return value;
    return inOnePiece(value.slice(0, 10), 'T', value.slice(11, value.length - zone), 'Z');
  }
  if (typeof value === 'number' || (typeof value === 'string' && /^\d{9,11}$/.test(value))) {
    const seconds = Number(value);
    return seconds > 0 && seconds < 1e11 ? unixTime(seconds) : null;
  }
  if (typeof value !== 'string') return null;
  const match = DATE.exec(value);
  if (!match) return null;
  const [, day = '', time, zone] = match;
  if (zone !== undefined && !/^(?:Z|z|UTC|[+-]00:?00)$/.test(zone)) {
    const moment = new Date(value.replace(' ', 'T'));
    return Number.isNaN(moment.getTime()) ? null : moment.toISOString();
  }
  const text = inOnePiece(day, 'T', time ?? '00:00:00', 'Z');
  return Number.isNaN(Date.parse(text)) ? null : text;
}

/** Date's own toISOString() takes three times as long, and some feeds date every entry so. */
function unixTime(seconds: number): string {
  const date = new Date(seconds * 1000);
  if (!Number.isInteger(seconds)) return date.toISOString();
  const two = (number: number): string => (number < 10 ? `0${number}` : String(number));
  const day = `${date.getUTCFullYear()}-${two(date.getUTCMonth() + 1)}-${two(date.getUTCDate())}`;
  const time = `${two(date.getUTCHours())}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())}`;
  return inOnePiece(day, 'T', time, 'Z');
}

/**
 * One text of several. What `+` and templates give stays in pieces, with whatever those were cut from, until it is read; a feed's
 * texts are many, and most are never read.
 */
function inOnePiece(...parts: readonly string[]): string {
  return parts.join('');
}

const hex =
  (length: number) =>
  (value: string): string | undefined => {
    if (value.length !== length || !HEX.test(value)) return undefined;
    return value.toLowerCase();
  };

/** Certificate hashes are often written with colons. */
const certificate =
  (length: number) =>
  (value: string): string | undefined =>
    hex(length)(value.replaceAll(':', ''));

const matching =
  (pattern: RegExp) =>
  (value: string): string | undefined =>
    value.length <= MAX_VALUE && pattern.test(value) ? value : undefined;

const HEX = /^[0-9a-fA-F]+$/;
const HOST_NAME = /^(?=.)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/;
/** The form of most feeds, checked without the cost of a Date. */
const PLAIN_DATE =
  /^\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])[ T](?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,9})?(?:Z|\+00:00)?$/;
const DATE = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d:\d\d(?:\.\d{1,9})?)\s*(Z|z|UTC|[+-]\d\d:?\d\d)?)?$/;
// FoxIO technical_details/JA4.md. The two ALPN characters are any: other dialects keep what the specification writes as hex.
const JA4 = /^[tqd](?:1[0-3]|s[23]|d[1-3]|00)[di]\d{4}.._[0-9a-f]{12}_[0-9a-f]{12}$/;
const JA4_RAW =
  /^[tqd](?:1[0-3]|s[23]|d[1-3]|00)[di]\d{4}.._(?:[0-9a-f]{4},?)*_(?:[0-9a-f]{4},?)*(?:_(?:[0-9a-f]{4},?)*)?$/;
const JA3_STRING = /^\d{1,5}(?:,(?:\d{1,5}(?:-\d{1,5})*)?){4}$/;
const JA3S_STRING = /^\d{1,5},\d{1,5},(?:\d{1,5}(?:-\d{1,5})*)?$/;
const MAX_VALUE = 4096;
/** Three times what the longest form needs. */
const MAX_DATE = 128;

const FORMS: Partial<Record<SimpleType, (value: string) => string | undefined>> = {
  ja3: hex(32),
  ja3s: hex(32),
  ja3Sha256: hex(64),
  ja3String: matching(JA3_STRING),
  ja3sString: matching(JA3S_STRING),
  ja4: matching(JA4),
  ja4r: matching(JA4_RAW),
  sha256: hex(64),
  sha1: hex(40),
  md5: hex(32),
  certSha1: certificate(40),
  certSha256: certificate(64),
  certMd5: certificate(32),
  serverName: hostName,
  domain: hostName,
  ip: ipAddress,
};
