/** JA3 and JA3S as defined by salesforce/ja3 (BSD-3): decimal numbers in wire order, `-` within a field, `,` between. */
import type { ClientHello } from './client-hello.js';
import { isGrease } from './grease.js';
import { md5Hex, sha256Hex } from './hashes.js';
import type { ServerHello } from './server-hello.js';

/**
 * `version,ciphers,extensions,groups,pointformats`; always four commas. The version is legacy_version of the handshake
 * message, and GREASE is left out of ciphers, extensions and groups.
 */
export function ja3String(hello: ClientHello): string {
  const ciphers = decimals(hello.cipherSuites);
  const extensions = decimals(hello.extensions);
  const groups = decimals(hello.supportedGroups);
  return `${hello.legacyVersion},${ciphers},${extensions},${groups},${hello.pointFormats.join('-')}`;
}

/** `version,cipher,extensions`; always two commas. GREASE stays, as in the reference implementation. */
export function ja3sString(hello: ServerHello): string {
  return `${hello.legacyVersion},${hello.cipherSuite ?? ''},${hello.extensions.join('-')}`;
}

/** JA3 or JA3S: MD5 of the string. */
export function ja3(string: string): string {
  return md5Hex(string);
}

/** The 32-byte form of this project: SHA-256 of the same string. */
export function ja3Sha256(string: string): string {
  return sha256Hex(string);
}

/** Numbers joined by `-`, without GREASE. */
function decimals(values: readonly number[]): string {
  let text = '';
  for (const value of values) {
    if (isGrease(value)) continue;
    text = text === '' ? `${value}` : `${text}-${value}`;
  }
  return text;
}
