import type { FeedContent } from '../feed.js';
import type { SimpleType } from '../indicator.js';
import { joined, textOf } from '../json-facts.js';
import { copied, feedLines } from '../lines.js';
import { feedDate } from '../values.js';

/**
 * Zeek intel file: a `#fields` line names the tab-separated columns; `-` is unset; other `#` lines are comments.
 * Types beyond Zeek's own (`Intel::JA3`, `Intel::JA3S`, `Intel::JA4`) come from the ja3 and ja4 packages.
 * https://docs.zeek.org/en/master/frameworks/intel.html
 */
export function readZeekIntel(bytes: Buffer, content: FeedContent): void {
  let fields: readonly string[] = [];
  for (const { number, text } of feedLines(bytes, content.problem.bind(content))) {
    if (text.startsWith('#fields\t')) fields = text.slice('#fields\t'.length).split('\t');
    else if (!text.startsWith('#') && text.trim() !== '') readRow(number, text, fields, content);
  }
}

function readRow(line: number, text: string, fields: readonly string[], content: FeedContent): void {
  const cells = text.split('\t');
  const cell = (name: string): string | null => {
    const at = fields.indexOf(name);
    const value = at === -1 ? undefined : cells[at];
    return value === undefined || value === '-' || value === '(empty)' ? null : textOf(unescape(value));
  };
  const indicator = cell('indicator');
  const kind = cell('indicator_type');
  if (indicator === null || kind === null) {
    content.problem(line, text, 'has no indicator or no indicator_type (columns are separated by tabs)');
    return;
  }
  const type = kind === 'Intel::FILE_HASH' ? FILE_HASHES[indicator.length] : TYPES[kind];
  if (type === undefined && kind === 'Intel::FILE_HASH') {
    content.problem(line, text, 'its indicator is no MD5, SHA-1 or SHA-256');
    return;
  }
  if (type === undefined) {
    content.skip(line, `${kind} is nothing that a snapshot holds`);
    return;
  }
  content.add(line, type, copied(indicator), {
    description: joined([cell('meta.desc'), cell('meta.source'), cell('meta.url')]),
    dates: {
      firstSeen: feedDate(cell('meta.firstseen') ?? cell('meta.cif_firstseen')),
      lastSeen: feedDate(cell('meta.lastseen') ?? cell('meta.cif_lastseen')),
    },
  });
}

/** Zeek writes a tab, a newline and the like inside a field as `\x09`, and so each byte of what is not ASCII. */
function unescape(text: string): string {
  return text.includes('\\x')
    ? text.replace(/(?:\\x[0-9a-fA-F]{2})+/g, (bytes) => Buffer.from(bytes.replaceAll('\\x', ''), 'hex').toString())
    : text;
}

const TYPES: Partial<Record<string, SimpleType>> = {
  'Intel::JA3': 'ja3',
  'Intel::JA3S': 'ja3s',
  'Intel::JA4': 'ja4',
  'Intel::JA4S': 'ja4s',
  'Intel::JA4H': 'ja4h',
  'Intel::JA4X': 'ja4x',
  'Intel::JA4SSH': 'ja4ssh',
  'Intel::DOMAIN': 'serverName',
  'Intel::ADDR': 'ip',
  // Zeek computes SHA-1 of a certificate.
  'Intel::CERT_HASH': 'certSha1',
};

const FILE_HASHES: Partial<Record<number, SimpleType>> = { 32: 'md5', 40: 'sha1', 64: 'sha256' };
