import { isGrease } from './grease.js';

/** The name of a protocol version; null for a code point that names none. */
export function versionName(version: number): string | null {
  const name = VERSION_NAMES[version];
  if (name !== undefined) return name;
  // Drafts of TLS 1.3 used 0x7f00 + draft number (draft-ietf-tls-tls13-28, section 4.2.1.1).
  if (version > 0x7f00 && version <= 0x7f1c) return `TLS 1.3 draft ${version & 0xff}`;
  return null;
}

/**
 * The highest version that a client offers: the highest non-GREASE value of supported_versions, or legacy_version where the
 * extension names none. For DTLS, whose version numbers count down, "highest" is the newest protocol.
 */
export function highestVersion(supported: readonly number[], legacyVersion: number, dtls: boolean): number {
  let highest = -1;
  for (const version of supported) {
    if (isGrease(version)) continue;
    if (highest < 0 || (dtls ? version < highest : version > highest)) highest = version;
  }
  return highest < 0 ? legacyVersion : highest;
}

const VERSION_NAMES: Readonly<Record<number, string>> = {
  0x0002: 'SSL 2.0',
  0x0300: 'SSL 3.0',
  0x0301: 'TLS 1.0',
  0x0302: 'TLS 1.1',
  0x0303: 'TLS 1.2',
  0x0304: 'TLS 1.3',
  0x0100: 'DTLS 1.0 (OpenSSL pre-release)',
  0xfeff: 'DTLS 1.0',
  0xfefd: 'DTLS 1.2',
  0xfefc: 'DTLS 1.3',
};
