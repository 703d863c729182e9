import type { FeedContent } from '../feed.js';
import type { IndicatorPart, SimpleType } from '../indicator.js';
import { JsonCursor } from '../json-cursor.js';
import { jsonEntries } from '../json-entries.js';
import { flagOf, joined, textOf, type JsonObject } from '../json-facts.js';
import { parseStixPattern, StixPatternError, type StixComparison } from '../stix-pattern.js';
import { feedDate, normaliseValue, typesByForm } from '../values.js';

/**
 * STIX 2.1: a bundle, a list of objects, or one object a line. STIX has no standard place for JA3 or JA4; this reads
 * the ones in use (`PATHS`), misp-stix's `x-misp-attribute` in patterns and as objects, and reports every pattern that
 * it does not understand. Observations (`network-traffic`, `file` and so on outside a pattern) are not indicators.
 * https://docs.oasis-open.org/cti/stix/v2.1/
 */
export function readStix(bytes: Buffer, content: FeedContent): void {
  const cursor = new JsonCursor(bytes);
  while (cursor.kind() !== 'end') readTop(cursor, content);
}

function readObjects(cursor: JsonCursor, content: FeedContent): void {
  for (const { line, entry } of jsonEntries(cursor, content, 'is no STIX object')) readObject(line, entry, content);
}

/** The objects of a bundle, or of a list, one by one; any other object as a whole, found again through its start. */
function readTop(cursor: JsonCursor, content: FeedContent): void {
  if (cursor.kind() !== 'object') return readObjects(cursor, content);
  const line = cursor.line;
  const own: Record<string, unknown> = {};
  let bundle = false;
  for (const name of cursor.members()) {
    if (name === 'objects' && cursor.kind() === 'array') {
      bundle = true;
      readObjects(cursor, content);
    } else own[name] = cursor.value();
  }
  if (!bundle && own['type'] !== 'bundle') readObject(line, own, content);
}

function readObject(line: number, object: JsonObject, content: FeedContent): void {
  const type = textOf(object['type']);
  if (type === 'indicator') readIndicator(line, object, content);
  else if (type === 'x-misp-attribute') readMispAttribute(line, object, content);
  else if (type === null) content.problem(line, JSON.stringify(object), 'has no type');
  else content.skip(line, `a ${type.slice(0, 80)} object is no indicator`);
}

function readIndicator(line: number, object: JsonObject, content: FeedContent): void {
  const pattern = textOf(object['pattern']);
  if (pattern === null) return content.problem(line, JSON.stringify(object), 'an indicator without a pattern');
  const language = textOf(object['pattern_type']) ?? 'stix';
  if (language !== 'stix') {
    return content.problem(line, pattern, `a ${language.slice(0, 40)} pattern is not understood, only stix`);
  }
  if (flagOf(object['revoked']) === true) return content.skip(line, 'a revoked indicator');
  const description = joined([textOf(object['name']), textOf(object['description'])], '; ');
  const dates = { listed: feedDate(object['valid_from']) ?? feedDate(object['modified']) };
  const validUntil = feedDate(object['valid_until']);
  try {
    for (const { parts, ignored } of parseStixPattern(pattern).map((all) => understand(all, description))) {
      const caveat =
        ignored.length > 0 ? `the pattern also asks for ${ignored.join(', ')}, which is not compared` : null;
      content.addAll(line, parts, { description, dates, validUntil, caveat });
    }
  } catch (error) {
    if (!(error instanceof StixPatternError)) throw error;
    content.problem(line, pattern, `the pattern is not understood: ${error.message}`);
  }
}

/** misp-stix writes attribute types that STIX does not know as objects of their own. */
function readMispAttribute(line: number, object: JsonObject, content: FeedContent): void {
  const labels = Array.isArray(object['labels']) ? object['labels'].map(String) : [];
  if (!labels.some((label) => /^misp:to_ids="?true"?$/i.test(label))) {
    return content.skip(line, 'an x-misp-attribute without to_ids: not meant for detection');
  }
  const kind = textOf(object['x_misp_type']) ?? '';
  const value = textOf(object['x_misp_value']) ?? '';
  const type = MISP_TYPES[kind];
  if (type === undefined)
    return content.skip(line, `x-misp-attribute ${kind.slice(0, 60)} is nothing that a snapshot holds`);
  content.add(line, type, value, {
    description: textOf(object['x_misp_comment']) ?? '',
    dates: { listed: feedDate(object['modified']) },
  });
}

/** Turns the comparisons of one alternative into conditions, or throws what is not understood. */
function understand(
  comparisons: readonly StixComparison[],
  description: string,
): { parts: IndicatorPart[]; ignored: string[] } {
  const parts: IndicatorPart[] = [];
  const ignored = new Set<string>();
  const misp = new Map<string, string>();
  const hashes: IndicatorPart[] = [];
  const sources: IndicatorPart[] = [];
  for (const { path, value } of comparisons) {
    if (path.startsWith('x-misp-attribute:')) misp.set(path.slice('x-misp-attribute:'.length), value);
    else if (CONTEXT.test(path)) {
      if (!SILENT_CONTEXT.test(path)) ignored.add(path);
    } else if (path === 'text:value') parts.push(textPart(value, description));
    else {
      const ofFile = path.startsWith('file:');
      const type = PATHS.get(ofFile ? path.replace(/^file:hashes\.'?([A-Za-z0-9-]+)'?$/, 'file:$1') : path);
      if (type === undefined) throw new StixPatternError(`${path} is nothing that a snapshot holds`);
      (ofFile ? hashes : path === SOURCE ? sources : parts).push(checked(type, value, path));
    }
  }
  // An address is compared with both ends of a connection. Of two, the one that was talked to is worth comparing.
  if (parts.some(({ type }) => type === 'ip') && sources.length > 0) ignored.add(SOURCE);
  else parts.push(...sources);
  if (misp.size > 0) parts.push(mispPart(misp));
  // Several hashes of one file say the same thing; the strongest is compared.
  for (const type of hashes.length > 0 ? (['sha256', 'sha1', 'md5'] as const) : []) {
    const strongest = hashes.find((hash) => hash.type === type);
    if (!strongest) continue;
    parts.push(strongest);
    break;
  }
  if (parts.length === 0) throw new StixPatternError('nothing in it can be compared');
  return { parts, ignored: [...ignored] };
}

function checked(type: SimpleType, text: string, where: string): IndicatorPart {
  const value = normaliseValue(type, text);
  if (value === undefined) throw new StixPatternError(`the value of ${where} has not the form of a ${type}`);
  return { type, value };
}

/** `[text:value = '…']` says nothing of what the text is: its form decides, and for 32 hex digits the indicator's name. */
function textPart(text: string, description: string): IndicatorPart {
  const [form] = typesByForm(text.trim());
  if (form === undefined || form.type === 'serverName' || form.type === 'ip') {
    throw new StixPatternError('text:value is neither a hash nor a JA4');
  }
  if (form.type !== 'ja3') return form;
  return /\bja3s\b/i.test(description) ? { type: 'ja3s', value: form.value } : form;
}

function mispPart(fields: ReadonlyMap<string, string>): IndicatorPart {
  const kind = fields.get('object_relation') ?? fields.get('type') ?? '';
  const type = MISP_TYPES[kind] ?? MISP_TYPES[fields.get('type') ?? ''];
  const value = fields.get('value');
  if (type === undefined || value === undefined) {
    throw new StixPatternError(`x-misp-attribute of type '${kind.slice(0, 60)}' is nothing that a snapshot holds`);
  }
  return checked(type, value, 'x-misp-attribute:value');
}

const MISP_TYPES: Partial<Record<string, SimpleType>> = {
  'ja3-fingerprint-md5': 'ja3',
  'ja3s-fingerprint-md5': 'ja3s',
  'ja4-fingerprint': 'ja4',
  'x509-fingerprint-sha1': 'certSha1',
  'x509-fingerprint-sha256': 'certSha256',
  'x509-fingerprint-md5': 'certMd5',
};

const SOURCE = 'network-traffic:src_ref.value';
/** Object paths that name something a snapshot holds. */
const PATHS: ReadonlyMap<string, SimpleType> = new Map([
  ["network-traffic:extensions.'tls-ext'.client_ja3_hash", 'ja3'],
  ["network-traffic:extensions.'tls-ext'.server_ja3_hash", 'ja3s'],
  ["network-traffic:extensions.'tls-ext'.server_host_name", 'serverName'],
  ['x-ecs-tls:client_ja3', 'ja3'],
  ['x-ecs-tls:server_ja3s', 'ja3s'],
  ['domain-name:value', 'serverName'],
  ['ipv4-addr:value', 'ip'],
  ['ipv6-addr:value', 'ip'],
  ['network-traffic:dst_ref.value', 'ip'],
  [SOURCE, 'ip'],
  ['file:MD5', 'md5'],
  ['file:SHA-1', 'sha1'],
  ['file:SHA1', 'sha1'],
  ['file:SHA-256', 'sha256'],
  ['file:SHA256', 'sha256'],
  ["x509-certificate:hashes.'SHA-1'", 'certSha1'],
  ["x509-certificate:hashes.'SHA-256'", 'certSha256'],
  ['x509-certificate:hashes.MD5', 'certMd5'],
]);

/** Conditions beside the one that identifies: understood, not compared, and told in the hit. */
const CONTEXT =
  /^(?:network-traffic:(?:dst_port|src_port|protocols\[(?:\d+|\*)\]|(?:dst|src)_ref\.type)|file:(?:name|size))$/;
/** Those that say nothing beyond the identifying one. */
const SILENT_CONTEXT = /_ref\.type$|protocols/;
