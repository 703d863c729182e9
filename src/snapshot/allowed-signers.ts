import { TlsnapError } from '../errors.js';
import { parsePublicKey, signingHash } from './ssh-key.js';
import { SshReader } from './ssh-wire.js';

/** One line of an allowed signers file, ssh-keygen(1) section "ALLOWED SIGNERS". */
export interface AllowedSigner {
  readonly line: number;
  /** As written, patterns included. */
  readonly principals: readonly string[];
  readonly publicKey: Buffer;
  /** Patterns of namespaces; null for any. */
  readonly namespaces: string | null;
  readonly validAfter: Date | null;
  readonly validBefore: Date | null;
}

export interface AllowedSigners {
  readonly signers: readonly AllowedSigner[];
  /** Lines that are well-formed but cannot be used, and why. */
  readonly unused: readonly { readonly line: number; readonly reason: string }[];
}

/** Reads an allowed signers file called `name`. Throws a TlsnapError of kind `input` for a line that is malformed. */
export function parseAllowedSigners(text: string, name: string): AllowedSigners {
  const signers: AllowedSigner[] = [];
  const unused: { line: number; reason: string }[] = [];
  for (const [index, content] of text.split('\n').entries()) {
    const trimmed = content.trim();
    if (trimmed === '' || trimmed.startsWith('#')) continue;
    const line = index + 1;
    try {
      const parsed = parseLine(trimmed, line);
      if ('reason' in parsed) unused.push({ line, reason: parsed.reason });
      else signers.push(parsed);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      throw new TlsnapError('input', `${name} line ${line}`, error.message, [
        'The form of a line is: PRINCIPALS [OPTIONS] KEYTYPE BASE64.',
      ]);
    }
  }
  return { signers, unused };
}

/** Who may sign with `publicKey` in `namespace` at `time`; and where the key is listed, but not for this, why. */
export function findSigner(
  allowed: AllowedSigners,
  publicKey: Buffer,
  namespace: string,
  time: Date,
): { readonly principals: readonly string[]; readonly refusals: readonly string[] } {
  const principals = new Set<string>();
  const refusals: string[] = [];
  for (const signer of allowed.signers) {
    if (!signer.publicKey.equals(publicKey)) continue;
    const refusal = refusalOf(signer, namespace, time);
    if (refusal === undefined) signer.principals.forEach((principal) => principals.add(principal));
    else refusals.push(`line ${signer.line}: ${refusal}`);
  }
  return { principals: [...principals], refusals };
}

/** A list of patterns with `*`, `?` and `!`, as match_pattern_list() of OpenSSH has it: a negated match wins. */
export function matchesPatternList(text: string, list: string): boolean {
  let matched = false;
  for (const item of list.split(',')) {
    const negated = item.startsWith('!');
    if (!matchesPattern(text, negated ? item.slice(1) : item)) continue;
    if (negated) return false;
    matched = true;
  }
  return matched;
}

function refusalOf(signer: AllowedSigner, namespace: string, time: Date): string | undefined {
  if (!namesSomebody(signer.principals)) return 'its principals are nobody';
  if (signer.namespaces !== null && !matchesPatternList(namespace, signer.namespaces)) {
    return `the key may not sign in namespace ${namespace}`;
  }
  if (signer.validAfter && time < signer.validAfter) return `the key is valid after ${signer.validAfter.toISOString()}`;
  if (signer.validBefore && time > signer.validBefore) {
    return `the key was valid before ${signer.validBefore.toISOString()}`;
  }
  return undefined;
}

/**
 * Whether ssh-keygen -Y verify -I could accept anybody by the list. Each pattern is tried with two texts that it matches, of which the
 * long one is in a negated pattern's reach only where that has a star in the same place.
 */
function namesSomebody(principals: readonly string[]): boolean {
  const list = principals.join(',');
  const long = 'x'.repeat(list.length);
  return principals
    .filter((pattern) => !pattern.startsWith('!'))
    .flatMap((pattern) => ['', long].map((text) => pattern.replaceAll('*', text).replaceAll('?', 'x')))
    .some((text) => text !== '' && matchesPatternList(text, list));
}

function parseLine(text: string, line: number): AllowedSigner | { reason: string } {
  const { word: principals, rest } = takePrincipals(text);
  const bare = takeKey(rest);
  const { options, rest: keyText } = bare ? { options: {}, rest } : takeOptions(rest);
  const key = bare ?? takeKey(keyText);
  if (!key) throw new RangeError('no public key after the principals');
  if (options.certAuthority) return { reason: 'cert-authority is not supported, and certificates are not accepted' };
  if (!signingHash(key.type)) return { reason: `keys of type ${key.type} are not supported` };
  parsePublicKey(key.blob);
  return {
    line,
    principals: principals.split(','),
    publicKey: key.blob,
    namespaces: options.namespaces ?? null,
    validAfter: options.validAfter ?? null,
    validBefore: options.validBefore ?? null,
  };
}

function takePrincipals(text: string): { word: string; rest: string } {
  const match = /^(?:"([^"]+)"|([^\s"]\S*))\s+(.*)$/.exec(text);
  if (!match) throw new RangeError('no public key after the principals');
  return { word: match[1] ?? match[2] ?? '', rest: match[3] ?? '' };
}

/** A type and a blob that says the same type of itself; undefined where the text starts otherwise. */
function takeKey(text: string): { type: string; blob: Buffer } | undefined {
  const [, type = '', encoded = ''] = /^([a-z0-9@.-]+)\s+([A-Za-z0-9+/]+={0,2})(?:\s|$)/.exec(text) ?? [];
  if (encoded === '') return undefined;
  const blob = Buffer.from(encoded, 'base64');
  try {
    return new SshReader(blob).text('the key type') === type ? { type, blob } : undefined;
  } catch {
    return undefined;
  }
}

interface Options {
  certAuthority?: boolean;
  namespaces?: string;
  validAfter?: Date;
  validBefore?: Date;
}

/** Comma-separated, without spaces outside of double quotes. */
function takeOptions(text: string): { options: Options; rest: string } {
  const [, list = '', rest = ''] = /^((?:[^\s"\\]|\\"?|"(?:[^"\\]|\\.)*")+)\s+(.*)$/.exec(text) ?? [];
  if (list === '') throw new RangeError('neither options nor a public key after the principals');
  const options: Options = {};
  for (const option of list.match(/(?:[^,"]|"(?:[^"\\]|\\.)*")+/g) ?? []) setOption(options, option);
  const { validAfter, validBefore } = options;
  if (validAfter && validBefore && validAfter >= validBefore) {
    throw new RangeError('valid-after is not before valid-before');
  }
  return { options, rest };
}

function setOption(options: Options, option: string): void {
  const [, name = '', value] = /^([A-Za-z-]+)(?:="((?:[^"\\]|\\.)*)")?$/.exec(option) ?? [];
  const field = name.toLowerCase();
  if (field === 'cert-authority' && value === undefined && !options.certAuthority) options.certAuthority = true;
  else if (field === 'namespaces' && value && options.namespaces === undefined) {
    options.namespaces = value.replaceAll('\\"', '"');
  } else if (field === 'valid-after' && value && !options.validAfter) options.validAfter = parseTime(value);
  else if (field === 'valid-before' && value && !options.validBefore) options.validBefore = parseTime(value);
  else throw new RangeError(`option ${JSON.stringify(option)} is unknown, malformed or there twice`);
}

/** `YYYYMMDD[Z]` or `YYYYMMDDHHMM[SS][Z]`: UTC with a Z, otherwise this machine's zone. */
function parseTime(text: string): Date {
  const parts = /^(\d{4})(\d\d)(\d\d)(?:(\d\d)(\d\d)(\d\d)?)?(Z?)$/.exec(text);
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = (parts ?? [])
    .slice(1, 7)
    .map((part: string | undefined) => Number(part ?? 0));
  const utc = parts?.[7] === 'Z';
  const time = utc
    ? new Date(Date.UTC(year, month - 1, day, hour, minute, second))
    : new Date(year, month - 1, day, hour, minute, second);
  const exact = utc
    ? time.getUTCMonth() === month - 1 && time.getUTCDate() === day
    : time.getMonth() === month - 1 && time.getDate() === day;
  if (!parts || !exact || hour > 23 || minute > 59 || second > 59) {
    throw new RangeError(`${JSON.stringify(text)} is not a time of the form YYYYMMDD[HHMM[SS]][Z]`);
  }
  return time;
}

/** Linear in both, unlike a regular expression made of somebody's pattern. */
function matchesPattern(text: string, pattern: string): boolean {
  let [at, from, star, mark] = [0, 0, -1, 0];
  while (at < text.length) {
    if (from < pattern.length && (pattern[from] === '?' || pattern[from] === text[at]) && pattern[from] !== '*') {
      at += 1;
      from += 1;
    } else if (pattern[from] === '*') {
      star = from;
      mark = at;
      from += 1;
    } else if (star >= 0) {
      from = star + 1;
      mark += 1;
      at = mark;
    } else return false;
  }
  while (pattern[from] === '*') from += 1;
  return from === pattern.length;
}
