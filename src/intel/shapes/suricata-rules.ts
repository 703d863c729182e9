import type { FeedContent } from '../feed.js';
import type { IndicatorPart, SimpleType } from '../indicator.js';
import { joined } from '../json-facts.js';
import { copied, feedLines } from '../lines.js';
import { decodeContent, parseRuleOptions, ruleBody, type RuleOption } from '../suricata-rule.js';
import { ja4Form, normaliseValue, type WrittenDate } from '../values.js';

/**
 * Suricata rules: what `content` in the buffers `ja3.hash`, `ja3.string`, `ja3s.hash`, `ja3s.string`, `ja4.hash`,
 * `tls.sni` and `tls.cert_fingerprint` (and their older names with `_`) must be, and `tls.fingerprint`. Several in one rule must all hold.
 * Rules without any of them are left out, by number; so are rules that are commented out.
 * https://docs.suricata.io/en/latest/rules/ja-keywords.html
 */
export function readSuricataRules(bytes: Buffer, content: FeedContent): void {
  let open: { number: number; text: string } | null = null;
  for (const { number, text } of feedLines(bytes, content.problem.bind(content))) {
    const rule: { number: number; text: string } = open
      ? { number: open.number, text: open.text + text }
      : { number, text };
    if (text.endsWith('\\') && rule.text.length < MAX_RULE && !rule.text.startsWith('#')) {
      open = { number: rule.number, text: rule.text.slice(0, -1) };
      continue;
    }
    open = null;
    readLine(rule.number, rule.text.trim(), content);
  }
  if (open) content.problem(open.number, open.text, 'the rule is continued, but the file ends');
}

function readLine(line: number, text: string, content: FeedContent): void {
  if (text === '') return;
  if (text.startsWith('#')) {
    if (ruleBody(text.replace(/^#+\s*/, '')) !== null) content.skip(line, 'a rule that is commented out');
    return;
  }
  const body = ruleBody(text);
  const options = body === null ? null : parseRuleOptions(body);
  if (options === null) content.problem(line, text, 'is no rule');
  else if (/^pass\s/.test(text)) content.skip(line, 'a rule that lets pass: no detection');
  else if (options.some(({ keyword }) => BUFFERS.has(keyword) || VALUED.has(keyword)))
    readRule(line, text, options, content);
  else content.skip(line, 'a rule that asks for no JA3, JA4, server name or certificate');
}

function readRule(line: number, text: string, options: readonly RuleOption[], content: FeedContent): void {
  const parts: IndicatorPart[] = [];
  const others = new Set<string>();
  if (namesEnds(text)) others.add('the addresses or ports in its header');
  let buffer: SimpleType | null = null;
  for (const [at, { keyword, value }] of options.entries()) {
    // Most options of a rule are such.
    if (SILENT.has(keyword)) continue;
    const named = BUFFERS.get(keyword);
    const valued = VALUED.get(keyword);
    if (named) buffer = named;
    else if (valued) {
      const part = partOf(valued, value, NO_MODIFIERS);
      if (typeof part === 'string') return content.problem(line, text, part);
      parts.push({ type: part.type, value: copied(part.value) });
    } else if (/^[a-z0-9_]+\.[a-z0-9_.]+$/.test(keyword) || OTHER_BUFFERS.has(keyword)) {
      buffer = null;
      others.add(keyword);
    } else if (keyword === 'content' && buffer) {
      const part = partOf(buffer, value, buffer === 'serverName' ? modifiers(options, at) : NO_MODIFIERS);
      if (typeof part === 'string') return content.problem(line, text, part);
      parts.push({ type: part.type, value: copied(part.value) });
    } else if (MATCHING.has(keyword) && buffer) {
      const hint = keyword.startsWith('data') ? '; give its file as a feed of its own' : '';
      return content.problem(line, text, `its ${buffer} is compared by ${keyword}, which is not understood${hint}`);
    } else others.add(keyword);
  }
  if (parts.length === 0) return content.problem(line, text, 'names a TLS buffer, but no content for it');
  const option = (name: string): string | null => options.find(({ keyword }) => keyword === name)?.value ?? null;
  const sid = option('sid');
  const metadata = option('metadata');
  content.addAll(line, parts, {
    description: joined([unquoted(option('msg')), sid && `sid ${sid}`], '; '),
    dates: { listed: metadataDate(metadata, 'updated_at') ?? metadataDate(metadata, 'created_at') },
    caveat:
      others.size > 0 ? `the rule also asks for ${[...others].slice(0, 8).join(', ')}, which is not compared` : null,
  });
}

/** Whether a rule's header names addresses or ports themselves: not `any`, and no variable, which a sensor sets. */
function namesEnds(text: string): boolean {
  // As nearly all rules, of which a feed has many.
  if (/^[^\d:(]*\(/.test(text)) return false;
  const header = text.slice(0, text.indexOf('(')).trim();
  const [, , ...ends] = header.split(/\s+/);
  return ends.some((end) => /[\d:]/.test(end.replace(/\$\w+/g, '')));
}

/** The condition that one content makes; a text says why it is none. */
function partOf(buffer: SimpleType, value: string, found: ReadonlyMap<string, string>): IndicatorPart | string {
  if (value.trimStart().startsWith('!')) return `its ${buffer} is negated`;
  const decoded = decodeContent(value);
  if (decoded === null) return `its ${buffer} content is not understood`;
  if (buffer === 'ja4') return ja4Form(decoded) ?? 'its content is no JA4';
  const text = buffer === 'serverName' ? decoded.replace(/^\./, '') : decoded;
  const normal = normaliseValue(buffer, text);
  if (normal === undefined) return `its content is no whole ${buffer}`;
  if (buffer !== 'serverName') return { type: buffer, value: normal };
  const isEnd = found.has('endswith');
  const isWhole = (isEnd && found.has('startswith')) || found.get('bsize') === String(decoded.length);
  // `dotprefix` puts a dot before the buffer, so that ".example.org" at its end means the name and everything below it.
  if (found.has('dotprefix') === decoded.startsWith('.')) {
    if (isWhole) return { type: 'serverName', value: normal };
    if (isEnd && decoded.startsWith('.')) return { type: 'domain', value: normal };
  }
  return `its server name is only ${isEnd ? 'the end' : 'a part'} of one`;
}

/** The keywords that belong to the content at `at`: transforms since its buffer, modifiers until the next content. */
function modifiers(options: readonly RuleOption[], at: number): ReadonlyMap<string, string> {
  let from = at;
  while (from > 0 && !BUFFERS.has(options[from - 1]?.keyword ?? '')) from--;
  let to = at + 1;
  while (to < options.length && options[to]?.keyword !== 'content') to++;
  return new Map(options.slice(from, to).map(({ keyword, value }) => [keyword, value]));
}

function unquoted(text: string | null): string | null {
  if (text === null) return null;
  const inner = text.startsWith('"') && text.endsWith('"') ? text.slice(1, -1) : text;
  return inner.includes('\\') ? inner.replace(/\\([;"\\:])/g, '$1') : inner;
}

/** Emerging Threats: `metadata: created_at 2019_09_10, updated_at 2020_08_20`. */
function metadataDate(metadata: string | null, name: string): WrittenDate {
  const at = metadata?.indexOf(name) ?? -1;
  const date = at === -1 ? '' : (metadata?.slice(at + name.length + 1, at + name.length + 11) ?? '');
  return METADATA_DATE.test(date) ? date.replaceAll('_', '-') : null;
}

const METADATA_DATE = /^\d{4}_\d\d_\d\d$/;

/** Sticky buffers that hold what a snapshot holds. */
const BUFFERS: ReadonlyMap<string, SimpleType> = new Map([
  ['ja3.hash', 'ja3'],
  ['ja3_hash', 'ja3'],
  ['ja3.string', 'ja3String'],
  ['ja3_string', 'ja3String'],
  ['ja3s.hash', 'ja3s'],
  ['ja3s_hash', 'ja3s'],
  ['ja3s.string', 'ja3sString'],
  ['ja3s_string', 'ja3sString'],
  ['ja4.hash', 'ja4'],
  ['tls.sni', 'serverName'],
  ['tls_sni', 'serverName'],
  ['tls.cert_fingerprint', 'certSha1'],
  ['tls_cert_fingerprint', 'certSha1'],
]);

/** Keywords that hold the value themselves. */
const VALUED: ReadonlyMap<string, SimpleType> = new Map([['tls.fingerprint', 'certSha1']]);

const NO_MODIFIERS: ReadonlyMap<string, string> = new Map();
const OTHER_BUFFERS = new Set([
  ...['pkt_data', 'file_data', 'base64_data'],
  ...['tls_cert_subject', 'tls_cert_issuer', 'tls_cert_serial'],
]);
const MATCHING = new Set(['pcre', 'dataset', 'datarep', 'isdataat', 'absent']);
/** Options that add no condition, or one that the content itself carries. */
const SILENT = new Set([
  ...['msg', 'sid', 'rev', 'gid', 'classtype', 'reference', 'metadata', 'priority', 'target', 'noalert', 'requires'],
  ...['fast_pattern', 'nocase', 'startswith', 'endswith', 'bsize', 'depth', 'offset', 'within', 'distance'],
  ...['dotprefix', 'to_lowercase', 'flow', 'threshold', 'detection_filter', 'rawbytes'],
]);
const MAX_RULE = 256 * 1024;
