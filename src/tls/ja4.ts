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

/** A JA4 before hashing: its first section and the two lists, from which every form is made. */
export interface Ja4Parts {
  /** Ten characters: transport, version, SNI, counts, ALPN. */
  readonly a: string;
  /** Comma-joined cipher suites. */
  readonly b: string;
  /** Comma-joined extensions. */
  readonly extensions: string;
  /** Comma-joined signature algorithms. */
  readonly signatureAlgorithms: string;
}

/** The parts of ja4 and ja4_r: sorted, without server_name and ALPN in the list of extensions. */
export function ja4Parts(hello: ClientHello, transport: Transport): Ja4Parts {
  const ciphers = withoutGrease(hello.cipherSuites);
  const extensions = withoutGrease(hello.extensions);
  return {
    a: ja4a(hello, transport, ciphers.length, extensions.length),
    b: hexList(sort(ciphers)),
    extensions: hexList(sort(extensions.filter(isHashedExtension))),
    signatureAlgorithms: hexList(withoutGrease(hello.signatureAlgorithms)),
  };
}

/** The parts of ja4_o and ja4_ro: wire order, all extensions. */
export function ja4OriginalParts(hello: ClientHello, transport: Transport): Ja4Parts {
  const ciphers = withoutGrease(hello.cipherSuites);
  const extensions = withoutGrease(hello.extensions);
  return {
    a: ja4a(hello, transport, ciphers.length, extensions.length),
    b: hexList(ciphers),
    extensions: hexList(extensions),
    signatureAlgorithms: hexList(withoutGrease(hello.signatureAlgorithms)),
  };
}

/**
 * The parts of the resumption-stable form: as `ja4Parts`, but session_ticket (35), pre_shared_key (41) and padding (21) are
 * neither counted nor listed, because one and the same client sends them or not depending on what it remembers of the server.
 */
export function ja4ResumptionStableParts(hello: ClientHello, transport: Transport): Ja4Parts {
  return ja4Parts({ ...hello, extensions: hello.extensions.filter(isStableExtension) }, transport);
}

/** ja4 or ja4_o: the lists hashed, 12 hex digits of SHA-256 each; an empty list is twelve zeros. */
export function ja4(parts: Ja4Parts, hash12: Hash12 = truncatedSha256): string {
  return `${parts.a}_${parts.b === '' ? EMPTY : hash12(parts.b)}_${parts.extensions === '' ? EMPTY : hash12(sectionC(parts))}`;
}

/** ja4_r or ja4_ro: the lists themselves. */
export function ja4Raw(parts: Ja4Parts): string {
  return `${parts.a}_${parts.b}_${sectionC(parts)}`;
}

/** Maps a list to the 12 hex digits that stand for it. */
export type Hash12 = (text: string) => string;

/** The first 12 hex digits of the text's SHA-256. */
export function truncatedSha256(text: string): string {
  return sha256Hex(text).slice(0, 12);
}

/** The two characters for ALPN: first and last byte of the first value; hex nibbles where one is not alphanumeric. */
export function alpnCharacters(first: string | undefined): string {
  if (first === undefined || first === '') return '00';
  const head = first.charCodeAt(0);
  const tail = first.charCodeAt(first.length - 1);
  if (isAlphanumeric(head) && isAlphanumeric(tail)) return String.fromCharCode(head, tail);
  return (head >> 4).toString(16) + (tail & 0x0f).toString(16);
}

/** The two characters for a version; `00` for one that JA4 does not know, drafts among them. */
export function versionCharacters(version: number): string {
  return VERSIONS[version] ?? '00';
}

export function isAlphanumeric(code: number): boolean {
  return (code >= 0x30 && code <= 0x39) || (code >= 0x41 && code <= 0x5a) || (code >= 0x61 && code <= 0x7a);
}

/** Numbers as four lowercase hex digits, joined by commas. */
export function hexList(values: readonly number[]): string {
  let text = '';
  for (const value of values) {
    const hex = (value + 0x10000).toString(16).slice(1);
    text = text === '' ? hex : `${text},${hex}`;
  }
  return text;
}

function ja4a(hello: ClientHello, transport: Transport, ciphers: number, extensions: number): string {
  // "Highest" is by number, for DTLS too: so the definition says, and so the tools do.
  const version = versionCharacters(highestVersion(hello.supportedVersions, hello.legacyVersion, false));
  const name = hello.extensions.includes(Extension.serverName) ? 'd' : 'i';
  return PROTOCOLS[transport] + version + name + count(ciphers) + count(extensions) + alpnCharacters(hello.alpn[0]);
}

function sectionC(parts: Ja4Parts): string {
  return parts.signatureAlgorithms === '' ? parts.extensions : `${parts.extensions}_${parts.signatureAlgorithms}`;
}

function withoutGrease(values: readonly number[]): number[] {
  return values.filter((value) => !isGrease(value));
}

function isHashedExtension(type: number): boolean {
  return type !== Extension.serverName && type !== Extension.alpn;
}

function isStableExtension(type: number): boolean {
  return type !== Extension.sessionTicket && type !== Extension.preSharedKey && type !== Extension.padding;
}

function sort(values: number[]): number[] {
  return values.sort((a, b) => a - b);
}

function count(number: number): string {
  return number < 10 ? `0${number}` : `${Math.min(number, 99)}`;
}

const EMPTY = '000000000000';
const PROTOCOLS: Readonly<Record<Transport, string>> = { tcp: 't', quic: 'q', dtls: 'd' };
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
