/** What a hello says and which fingerprints it has, in the shape in which the timeline keeps it. */
import { parseClientHello } from './client-hello.js';
import { Extension } from './extensions.js';
import type { FingerprintCache } from './fingerprint-cache.js';
import { clientFingerprints, serverFingerprints, type Fingerprints } from './fingerprints.js';
import type { HelloKind } from './handshake.js';
import type { Transport } from './ja4.js';
import { parseServerHello } from './server-hello.js';
import { parseSslv2ClientHello } from './sslv2.js';
import { highestVersion, versionName } from './versions.js';

/** What a hello says; a list that is absent is empty, a value that is absent or was not reached is null. */
export interface Tls {
  legacyVersion: number | null;
  /** The highest version offered, or the version selected, by name. */
  version: string | null;
  /** Each byte one character. */
  serverName: string | null;
  alpn: string[];
  /** All that are offered, or the one selected. */
  cipherSuites: number[];
  extensions: number[];
  supportedGroups: number[];
  pointFormats: number[];
  signatureAlgorithms: number[];
  ech: boolean;
  helloRetryRequest?: boolean;
}

export type { Fingerprints };

export interface DescribeOptions {
  readonly kind: HelloKind;
  readonly transport: Transport;
  readonly sslv2: boolean;
  /** Makes repeated fingerprints cheap; belongs to the caller. */
  readonly cache?: FingerprintCache;
}

export interface HelloDescription {
  /** Null where not even the version could be read. */
  tls: Tls | null;
  /**
   * Null where a list is cut short, for a HelloRetryRequest (which is no answer yet) and for the SSLv2 form (for which
   * neither JA3 nor JA4 is defined).
   */
  fingerprints: Fingerprints | null;
  helloRetryRequest: boolean;
  /** The first thing that could not be read: `FIELD at offset N: DETAIL`, N counted from the start of the message. */
  error: string | null;
}

/**
 * Describes one whole handshake message; never throws.
 *
 * `message` is what `raw` holds in a snapshot:
 * - TLS and QUIC: type, length and body (RFC 8446, section 4);
 * - DTLS: the 12-byte header and the body, put together as if sent in one fragment (RFC 6347, section 4.2.6);
 * - SSLv2: the message with its two-byte record header, which alone says how long it is.
 */
export function describeHello(message: Uint8Array, options: DescribeOptions): HelloDescription {
  if (options.sslv2) return describeSslv2(message);
  return options.kind === 'client' ? describeClient(message, options) : describeServer(message, options);
}

function describeClient(message: Uint8Array, { transport, cache }: DescribeOptions): HelloDescription {
  const dtls = transport === 'dtls';
  const { hello, error } = parseClientHello(message, dtls);
  if (hello === null) return { tls: null, fingerprints: null, helloRetryRequest: false, error };
  const tls: Tls = {
    legacyVersion: hello.legacyVersion,
    version: versionName(highestVersion(hello.supportedVersions, hello.legacyVersion, dtls)),
    serverName: hello.serverName,
    alpn: hello.alpn,
    cipherSuites: hello.cipherSuites,
    extensions: hello.extensions,
    supportedGroups: hello.supportedGroups,
    pointFormats: hello.pointFormats,
    signatureAlgorithms: hello.signatureAlgorithms,
    ech: hello.extensions.includes(Extension.encryptedClientHello),
  };
  const fingerprints = hello.intact ? (cache?.client(hello, transport) ?? clientFingerprints(hello, transport)) : null;
  return { tls, fingerprints, helloRetryRequest: false, error };
}

function describeServer(message: Uint8Array, { transport, cache }: DescribeOptions): HelloDescription {
  const { hello, error } = parseServerHello(message, transport === 'dtls');
  if (hello === null) return { tls: null, fingerprints: null, helloRetryRequest: false, error };
  const { helloRetryRequest } = hello;
  const tls: Tls = {
    legacyVersion: hello.legacyVersion,
    version: versionName(hello.selectedVersion ?? hello.legacyVersion),
    serverName: null,
    alpn: hello.alpn,
    cipherSuites: hello.cipherSuite === null ? [] : [hello.cipherSuite],
    extensions: hello.extensions,
    supportedGroups: hello.supportedGroups,
    pointFormats: hello.pointFormats,
    signatureAlgorithms: [],
    ech: hello.extensions.includes(Extension.encryptedClientHello),
  };
  if (helloRetryRequest) tls.helloRetryRequest = true;
  const answers = hello.intact && !helloRetryRequest;
  const fingerprints = answers ? (cache?.server(hello) ?? serverFingerprints(hello)) : null;
  return { tls, fingerprints, helloRetryRequest, error };
}

function describeSslv2(message: Uint8Array): HelloDescription {
  const { hello, error } = parseSslv2ClientHello(message);
  if (hello === null) return { tls: null, fingerprints: null, helloRetryRequest: false, error };
  const tls: Tls = {
    legacyVersion: hello.version,
    version: versionName(hello.version),
    serverName: null,
    alpn: [],
    // Those above are SSL 2.0's own, which have no 16-bit number.
    cipherSuites: hello.cipherSpecs.filter((spec) => spec <= 0xffff),
    extensions: [],
    supportedGroups: [],
    pointFormats: [],
    signatureAlgorithms: [],
    ech: false,
  };
  return { tls, fingerprints: null, helloRetryRequest: false, error };
}
