/**
 * JA4 for clients, as FoxIO's technical_details/JA4.md defines it (BSD-3). The rest of JA4+ is under another licence and not here.
 * Where tools deviate from the definition, `dialects.ts` has their form.
 */
import type { ClientHello } from './client-hello.js';
import { Extension } from './extensions.js';
import { isGrease } from './grease.js';
import { sha256Hex } from './hashes.js';
import { highestVersion } from './versions.js';

export type Transport = 'tcp' | 'quic' | 'dtls';

/** A JA4 before hashing, from which both its forms are made. */
export interface Ja4Parts {
  /** Ten characters: transport, version, SNI, counts, ALPN. */
  readonly a: string;
  /** Cipher suites, joined by commas. */
  readonly b: string;
  /** Extensions, joined by commas; where there are any, `_` and the signature algorithms. */
  readonly c: string;
}

/** The parts of ja4 and ja4_r: sorted, without server_name and ALPN in the list of extensions. */
export function ja4Parts(hello: ClientHello, transport: Transport): Ja4Parts {
  const ciphers = withoutGrease(hello.cipherSuites);
  const extensions = withoutGrease(hello.extensions);
  return {
    a: sectionA(hello, transport, ciphers.length, extensions.length),
    b: hexList(sort(ciphers)),
    c: sectionC(hashedExtensions(extensions), withoutGrease(hello.signatureAlgorithms)),
  };
}

/** The parts of ja4_o and ja4_ro: wire order, all extensions. */
export function ja4OriginalParts(hello: ClientHello, transport: Transport): Ja4Parts {
  const ciphers = withoutGrease(hello.cipherSuites);
  const extensions = withoutGrease(hello.extensions);
  return {
    a: sectionA(hello, transport, ciphers.length, extensions.length),
    b: hexList(ciphers),
    c: sectionC(extensions, withoutGrease(hello.signatureAlgorithms)),
  };
}

/**
 * The parts of the resumption-stable form: as `ja4Parts`, but session_ticket (35), pre_shared_key (41) and padding (21) are
 * neither counted nor listed, because one and the same client sends them or not depending on what it remembers of the server.
 */
export function ja4ResumptionStableParts(hello: ClientHello, transport: Transport): Ja4Parts {
  return ja4Parts({ ...hello, extensions: hello.extensions.filter(isStableExtension) }, transport);
}

/** ja4 or ja4_o: each list as 12 hex digits of its SHA-256; an empty list as twelve zeros. */
export function ja4({ a, b, c }: Ja4Parts, hash12: Hash12 = truncatedSha256): string {
  return `${a}_${b === '' ? NO_LIST : hash12(b)}_${c === '' ? NO_LIST : hash12(c)}`;
}

/** ja4_r or ja4_ro: the lists themselves. */
export function ja4Raw({ a, b, c }: Ja4Parts): string {
  return `${a}_${b}_${c}`;
}

/** Maps a list to the 12 hex digits that stand for it. */
export type Hash12 = (text: string) => string;

/** The first 12 hex digits of the text's SHA-256. */
export function truncatedSha256(text: string): string {
  return sha256Hex(text).slice(0, 12);
}

/** The ten characters of the first section, given the counts without GREASE. */
export function sectionA(
  hello: ClientHello,
  transport: Transport,
  ciphers: number,
  extensions: number,
  alpn = alpnCharacters(hello.alpn[0]),
): string {
  // Only where the extension is absent; one that names no version leaves none.
  const otherwise = hello.extensions.includes(Extension.supportedVersions) ? NO_VERSION : hello.legacyVersion;
  // "Highest" is by number, for DTLS too: so the definition says, and so the tools do.
  const version = VERSIONS[highestVersion(hello.supportedVersions, otherwise, false)] ?? '00';
  const name = hello.extensions.includes(Extension.serverName) ? 'd' : 'i';
  return PROTOCOLS[transport] + version + name + count(ciphers) + count(extensions) + alpn;
}

/** Extensions and, where there are any, signature algorithms. */
export function sectionC(extensions: readonly number[], signatureAlgorithms: readonly number[]): string {
  const list = hexList(extensions);
  return signatureAlgorithms.length === 0 ? list : `${list}_${hexList(signatureAlgorithms)}`;
}

/** Sorted, without server_name and ALPN, which the first section speaks of. */
export function hashedExtensions(extensions: readonly number[]): number[] {
  return sort(extensions.filter((type) => type !== Extension.serverName && type !== Extension.alpn));
}

export function withoutGrease(values: readonly number[]): number[] {
  const kept: number[] = [];
  for (const value of values) if (!isGrease(value)) kept.push(value);
  return kept;
}

/** The two characters for ALPN: first and last byte of the first value; hex nibbles where one is not alphanumeric. */
function alpnCharacters(first: string | undefined): string {
  if (first === undefined || first === '') return '00';
  const head = first.charCodeAt(0);
  const tail = first.charCodeAt(first.length - 1);
  if (isAlphanumeric(head) && isAlphanumeric(tail)) return String.fromCharCode(head, tail);
  return (head >> 4).toString(16) + (tail & 0x0f).toString(16);
}

function isAlphanumeric(code: number): boolean {
  return (code >= 0x30 && code <= 0x39) || (code >= 0x41 && code <= 0x5a) || (code >= 0x61 && code <= 0x7a);
}

/** Numbers as four lowercase hex digits, joined by commas. */
function hexList(values: readonly number[]): string {
  let text = '';
  for (const value of values) {
    const hex = (value + 0x10000).toString(16).slice(1);
    text = text === '' ? hex : `${text},${hex}`;
  }
  return text;
}

function isStableExtension(type: number): boolean {
  return type !== Extension.sessionTicket && type !== Extension.preSharedKey && type !== Extension.padding;
}

/** Sorts in place: by insertion while the list is as short as real ones are, and never in quadratic time. */
function sort(values: number[]): number[] {
  if (values.length > SHORT_LIST) return Array.from(Uint16Array.from(values).sort());
  for (let index = 1; index < values.length; index++) {
    const value = values[index] ?? 0;
    let at = index;
    for (; at > 0 && (values[at - 1] ?? 0) > value; at--) values[at] = values[at - 1] ?? 0;
    values[at] = value;
  }
  return values;
}

function count(number: number): string {
  return number < 10 ? `0${number}` : `${Math.min(number, 99)}`;
}

const NO_LIST = '000000000000';
const SHORT_LIST = 64;
const NO_VERSION = -1;
const PROTOCOLS: Readonly<Record<Transport, string>> = { tcp: 't', quic: 'q', dtls: 'd' };
/** Drafts of TLS 1.3 and all that is not here are `00`. */
const VERSIONS: Readonly<Record<number, string>> = {
  0x0304: '13',
  0x0303: '12',
  0x0302: '11',
  0x0301: '10',
  0x0300: 's3',
  0x0002: 's2',
  0xfeff: 'd1',
  0xfefd: 'd2',
  0xfefc: 'd3',
};
