/** What a hello says and which fingerprints it has, in the shape in which the timeline keeps it. */
import { readClientHello, type ClientHello } from './client-hello.js';
import { Extension } from './extensions.js';
import { FingerprintCache, type Ja3Hashes } from './fingerprint-cache.js';
import { HandshakeType, noteMissing, readHandshake, type HandshakeMessage, type HelloKind } from './handshake.js';
import { ja3, ja3Sha256, ja3sString, ja3String } from './ja3.js';
import { ja4, ja4Parts, ja4Raw, truncatedSha256, type Transport } from './ja4.js';
import { Faults, Reader } from './reader.js';
import { readServerHello, type ServerHello } from './server-hello.js';
import { readSslv2ClientHello } from './sslv2.js';
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

/** The fingerprints of a hello: those of a client or those of a server. */
export interface Fingerprints {
  ja3?: string;
  ja3Sha256?: string;
  ja3String?: string;
  ja4?: string;
  ja4r?: string;
  ja3s?: string;
  ja3sString?: string;
}

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
  const faults = new Faults();
  if (options.sslv2) return describeSslv2(message, faults);
  const dtls = options.transport === 'dtls';
  const handshake = readHandshake(message, faults, dtls);
  const wanted = options.kind === 'client' ? HandshakeType.clientHello : HandshakeType.serverHello;
  if (handshake.type !== wanted || handshake.body.failed) {
    faults.note('handshake.type', 0, `${handshake.type} is not ${wanted}, a ${options.kind}'s hello`);
    return { tls: null, fingerprints: null, helloRetryRequest: false, error: faults.toString() };
  }
  const described =
    options.kind === 'client' ? describeClient(handshake, options, dtls) : describeServer(handshake, options.cache);
  noteMissing(message, faults, dtls);
  return { ...described, error: faults.first === null ? null : faults.toString() };
}

type Described = Omit<HelloDescription, 'error'>;

const NOTHING: Described = { tls: null, fingerprints: null, helloRetryRequest: false };

function describeClient({ body, whole }: HandshakeMessage, options: DescribeOptions, dtls: boolean): Described {
  const start = body.position;
  const hello = readClientHello(body, dtls);
  if (body.end - start < 2) return NOTHING;
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
  const fingerprints = hello.intact && whole ? clientFingerprints(hello, options) : null;
  return { tls, fingerprints, helloRetryRequest: false };
}

function describeServer({ body, whole }: HandshakeMessage, cache: FingerprintCache | undefined): Described {
  const start = body.position;
  const hello = readServerHello(body);
  if (body.end - start < 2) return NOTHING;
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
  if (hello.helloRetryRequest) tls.helloRetryRequest = true;
  const usable = hello.intact && whole && !hello.helloRetryRequest;
  return {
    tls,
    fingerprints: usable ? serverFingerprints(hello, cache) : null,
    helloRetryRequest: hello.helloRetryRequest,
  };
}

function describeSslv2(message: Uint8Array, faults: Faults): HelloDescription {
  const hello = readSslv2ClientHello(new Reader(message, faults));
  const error = faults.first === null ? null : faults.toString();
  if (message.length < VERSION_END) return { tls: null, fingerprints: null, helloRetryRequest: false, error };
  const tls: Tls = {
    legacyVersion: hello.version,
    version: versionName(hello.version),
    serverName: null,
    alpn: [],
    cipherSuites: hello.cipherSpecs.filter((spec) => spec <= 0xffff),
    extensions: [],
    supportedGroups: [],
    pointFormats: [],
    signatureAlgorithms: [],
    ech: false,
  };
  return { tls, fingerprints: null, helloRetryRequest: false, error };
}

function clientFingerprints(hello: ClientHello, { transport, cache }: DescribeOptions): Fingerprints {
  const text = ja3String(hello);
  const hashes = cache === undefined ? hashJa3(text) : cache.ja3(text);
  const parts = ja4Parts(hello, transport);
  return {
    ja3: hashes.ja3,
    ja3Sha256: hashes.ja3Sha256,
    ja3String: text,
    ja4: ja4(parts, cache?.hash12 ?? truncatedSha256),
    ja4r: ja4Raw(parts),
  };
}

function serverFingerprints(hello: ServerHello, cache: FingerprintCache | undefined): Fingerprints {
  const text = ja3sString(hello);
  return { ja3s: cache === undefined ? ja3(text) : cache.ja3(text).ja3, ja3sString: text };
}

function hashJa3(text: string): Ja3Hashes {
  return { ja3: ja3(text), ja3Sha256: ja3Sha256(text) };
}

/** Where the version ends in an SSLv2 CLIENT-HELLO with its record header. */
const VERSION_END = 5;
