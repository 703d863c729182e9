import { TlsnapError } from '../errors.js';
import { hostStrings } from '../procfs/text.js';
import type { Process } from '../snapshot/schema/process.js';

/**
 * Takes secrets out of command lines and environments. A pattern is text that a whole argument, or a whole `NAME=value` of
 * an environment, has to be; `*` stands for any text, and the last `*` for the secret, which is what is taken out. ASCII
 * letters match in either case.
 *   `*_TOKEN=*`      the value of every variable or argument whose name ends in _TOKEN
 *   `AWS_SECRET`     the value of that variable; or an argument that is just that, as a whole
 *   `--password *`   a space may also be the border to the next argument: the one after --password
 * Where a list was cut off (TRUNCATED), what stands before the cut may be the beginning of a match, and is taken for one.
 * There is nothing to backtrack: the time is bounded by the lengths of text and pattern.
 */
export class Redactor {
  readonly #patterns: readonly Pattern[];
  /** Arguments and variables from which something was taken. */
  redacted = 0;

  /** Throws a TlsnapError of kind `usage` where a pattern is too long, too short, or there are too many. */
  constructor(patterns: readonly string[]) {
    if (patterns.length > MAX_PATTERNS) {
      throw new TlsnapError('usage', '--redact', `more than ${MAX_PATTERNS} patterns`);
    }
    this.#patterns = patterns.flatMap(compile);
  }

  /** The row without what the patterns name. */
  row(row: Process): Process {
    if (this.#patterns.length === 0) return row;
    const cleaned = { ...row };
    const { cmdline, environ, loaderEnvironment } = row;
    if (cmdline) this.redacted += this.#clean(cleaned, 'cmdline', cmdline, isCut(row, 'cmdline'));
    const cut = isCut(row, 'environ');
    // The cut variable is the last one of all, which is seldom one of the loader's.
    const loaderCut = cut && (!environ || environ.at(-1) === loaderEnvironment?.at(-1));
    const [ofAll, ofLoader] = [
      environ ? this.#clean(cleaned, 'environ', environ, cut) : 0,
      loaderEnvironment ? this.#clean(cleaned, 'loaderEnvironment', loaderEnvironment, loaderCut) : 0,
    ];
    // The loader's variables are among the others, where those are kept.
    this.redacted += environ ? ofAll : ofLoader;
    return cleaned;
  }

  /** Returns from how many of the values something was taken. */
  #clean(row: Process, name: Field, values: readonly string[], cut: boolean): number {
    // As bytes, one character each: what is no UTF-8 is searched too, and stays as it is around a secret.
    const bytes = name === 'loaderEnvironment' ? Buffer.from(values.join('\0')) : bytesOf(values, row[`${name}Raw`]);
    const before = bytes.toString('latin1').split('\0');
    const after = [...before];
    for (const pattern of this.#patterns) apply(pattern, after, name === 'cmdline' ? pattern.words : 1, cut);
    const changed = after.filter((value, index) => value !== before[index]).length;
    if (changed === 0) return 0;
    const text = hostStrings(Buffer.from(after.join('\0'), 'latin1'));
    row[name] = text.values;
    if (name === 'cmdline') setRaw(row, 'cmdlineRaw', text.raw);
    if (name === 'environ') setRaw(row, 'environRaw', text.raw);
    return changed;
  }
}

type Field = 'cmdline' | 'environ' | 'loaderEnvironment';
type Span = readonly [from: number, to: number];

interface Pattern {
  /** What is between the stars, in lower case, as bytes. */
  readonly parts: readonly string[];
  /** How many arguments it can stretch over. */
  readonly words: number;
}

function compile(text: string): Pattern[] {
  const bytes = lower(Buffer.from(text).toString('latin1'));
  const parts = bytes.split('*');
  const words = bytes.split(' ').length;
  if (parts.join('').length === 0 || bytes.length > MAX_PATTERN_BYTES || words > MAX_WORDS) {
    throw new TlsnapError('usage', `--redact ${JSON.stringify(text)}`, 'not a pattern of 1 to 256 bytes and 8 words', [
      "Name what comes before the secret, and * for the secret: --redact '*TOKEN=*' or --redact '--password *'.",
    ]);
  }
  return parts.length > 1
    ? [{ parts, words }]
    : [
        { parts, words },
        { parts: [`${bytes}=`, ''], words: 1 },
      ];
}

/** What `hostStrings` made the values of. */
function bytesOf(values: readonly string[], raw: string | undefined): Buffer {
  return raw === undefined ? Buffer.from(values.map((value) => `${value}\0`).join('')) : Buffer.from(raw, 'base64');
}

function isCut({ errors }: Process, field: Field): boolean {
  return errors.some((error) => error.field === field && error.code === 'TRUNCATED');
}

/** @param cut whether the last value goes on where nobody has seen it, and others may follow it */
function apply({ parts }: Pattern, values: string[], words: number, cut: boolean): void {
  for (let at = 0; at < values.length; at++) {
    for (let count = 1; count <= words && at + count <= values.length; count++) {
      const joined = values.slice(at, at + count).join(' ');
      const isLast = at + count === values.length;
      const secret = secretIn(joined, parts) ?? (cut && isLast ? secretBegunIn(joined, parts) : null);
      if (secret === null) continue;
      takeOut(values, at, count, secret);
      break;
    }
  }
}

/** Where the last star's text lies, [from, to); all of it for a pattern without stars; null where it does not match. */
function secretIn(text: string, parts: readonly string[]): Span | null {
  const folded = lower(text);
  const last = parts.at(-1) ?? '';
  if (parts.length === 1) return folded === last ? [0, text.length] : null;
  const from = lastStarIn(folded, parts);
  const to = text.length - last.length;
  return from !== null && to > from && folded.endsWith(last) ? [from, to] : null;
}

/** The same of a text of which only the beginning is there: all that can be of the last star, or of a pattern without stars. */
function secretBegunIn(text: string, parts: readonly string[]): Span | null {
  const folded = lower(text);
  const from = parts.length === 1 ? (parts[0]?.startsWith(folded) ? 0 : null) : lastStarIn(folded, parts);
  return from !== null && text.length > from ? [from, text.length] : null;
}

/** Where the last star's text begins; null where a part before it is not there. */
function lastStarIn(folded: string, parts: readonly string[]): number | null {
  const [first = '', ...others] = parts.slice(0, -1);
  if (!folded.startsWith(first)) return null;
  let from = first.length;
  // The earliest place of each part leaves the most to the last star.
  for (const part of others) {
    const found = folded.indexOf(part, from);
    if (found < 0) return null;
    from = found + part.length;
  }
  return from;
}

/** Puts the mark in place of [from, to) of the values from `at` on, joined by spaces. */
function takeOut(values: string[], at: number, count: number, [from, to]: Span): void {
  let start = 0;
  for (let index = at; index < at + count; index++) {
    const value = values[index] ?? '';
    const [low, high] = [Math.max(from - start, 0), Math.min(to - start, value.length)];
    if (high > low) values[index] = value.slice(0, low) + MARK + value.slice(high);
    start += value.length + 1;
  }
}

function setRaw(row: Process, name: 'cmdlineRaw' | 'environRaw', raw: string | undefined): void {
  if (raw !== undefined) row[name] = raw;
  else if (name === 'cmdlineRaw') delete row.cmdlineRaw;
  else delete row.environRaw;
}

function lower(text: string): string {
  return text.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}

const MARK = '[redacted]';
const MAX_PATTERNS = 64;
const MAX_PATTERN_BYTES = 256;
const MAX_WORDS = 8;
