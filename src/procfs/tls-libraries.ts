import type { UnusualLibrary } from '../snapshot/schema/process.js';
import type { MappedFile } from './maps.js';

/**
 * The TLS implementation that a shared object is, by its file name, or null. A statically linked one (Go, Node,
 * Chromium, most of Rust) has no file of its own and is not seen here.
 */
export function tlsLibraryOf(path: string): string | null {
  const name = path.slice(path.lastIndexOf('/') + 1).toLowerCase();
  return TLS_LIBRARIES.find(([pattern]) => pattern.test(name))?.[1] ?? null;
}

/** Why executable code mapped from this file is out of the ordinary, or null. `exe`: the process's own executable. */
export function unusualReason(file: MappedFile, exe: string | null): UnusualLibrary['reason'] | null {
  const path = file.path.toString('utf8');
  if (!file.executable || path === exe) return null;
  if (path.startsWith('/memfd:') || path.startsWith('/dev/shm/')) return 'memory';
  if (TEMPORARY.some((directory) => path.startsWith(directory))) return 'temporary-directory';
  return file.deleted ? 'deleted' : null;
}

/** File names, lower case; wheels of Python add a hash (`libssl-3e69114b.so.1.1`). The first that fits counts. */
const TLS_LIBRARIES: readonly (readonly [RegExp, string])[] = [
  [/^libssl3\.so|^libnss3|^libsmime3|^libsoftokn3|^libfreebl/, 'nss'],
  [/^lib(?:boringssl|conscrypt|netty_tcnative)/, 'boringssl'],
  [/^lib(?:aws-?lc)/, 'aws-lc'],
  [/^lib(?:ssl|crypto)(?:[-_.]|$)/, 'openssl'],
  [/^libgnutls(?:[-_.]|$)/, 'gnutls'],
  [/^lib(?:wolfssl|cyassl)/, 'wolfssl'],
  [/^lib(?:mbedtls|mbedcrypto|mbedx509|polarssl)/, 'mbedtls'],
  [/^libs2n(?:[-_.]|$)/, 's2n'],
  [/^librustls/, 'rustls'],
  [/^libtls(?:[-_.]|$)/, 'libressl'],
  [/^libbotan/, 'botan'],
  [/^libbearssl/, 'bearssl'],
  [/^libmatrixssl/, 'matrixssl'],
  [/^lib(?:quiche|msquic|lsquic|ngtcp2)/, 'quic'],
];

const TEMPORARY = ['/tmp/', '/var/tmp/', '/run/user/'];
