import type { ClientHello } from './client-hello.js';
import { clientFingerprints, serverFingerprints, type Fingerprints } from './fingerprints.js';
import { truncatedSha256, type Transport } from './ja4.js';
import type { ServerHello } from './server-hello.js';

/**
 * Remembers fingerprints by what they are made of: a capture holds the same few over and over, and hashing is most of the work.
 * Bounded, the oldest goes first. One object belongs to one reader of hellos and is passed along, so nothing outlives the work.
 */
export class FingerprintCache {
  readonly #clients: Bounded<number, { hello: ClientHello; transport: Transport; fingerprints: Fingerprints }>;
  readonly #servers: Bounded<number, { hello: ServerHello; fingerprints: Fingerprints }>;
  /** Halves of JA4: a browser that shuffles its extensions has a new JA3 each time, and the same JA4. */
  readonly #halves: Bounded<string, string>;

  /** `capacity`: entries kept of each kind. */
  constructor(capacity = 4096) {
    this.#clients = new Bounded(capacity);
    this.#servers = new Bounded(capacity);
    this.#halves = new Bounded(capacity);
  }

  client(hello: ClientHello, transport: Transport): Fingerprints {
    const key = clientKey(hello, transport);
    const known = this.#clients.get(key);
    if (known !== undefined && known.transport === transport && sameClient(known.hello, hello))
      return known.fingerprints;
    const fingerprints = clientFingerprints(hello, transport, this.#hash12);
    this.#clients.set(key, { hello: withoutViews(hello), transport, fingerprints });
    return fingerprints;
  }

  server(hello: ServerHello): Fingerprints {
    const key = mix(mix(hello.legacyVersion, hello.cipherSuite ?? -1), mixAll(0, hello.extensions));
    const known = this.#servers.get(key);
    if (known !== undefined && sameServer(known.hello, hello)) return known.fingerprints;
    const fingerprints = serverFingerprints(hello);
    this.#servers.set(key, { hello: withoutViews(hello), fingerprints });
    return fingerprints;
  }

  readonly #hash12 = (text: string): string => {
    const known = this.#halves.get(text);
    if (known !== undefined) return known;
    const digits = truncatedSha256(text);
    this.#halves.set(text, digits);
    return digits;
  };
}

class Bounded<K, V> {
  readonly #map = new Map<K, V>();
  readonly #capacity: number;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get(key: K): V | undefined {
    return this.#map.get(key);
  }

  set(key: K, value: V): void {
    this.#map.set(key, value);
    if (this.#map.size <= this.#capacity) return;
    for (const oldest of this.#map.keys()) {
      this.#map.delete(oldest);
      return;
    }
  }
}

/** Views would keep whole segments alive. */
function withoutViews<T extends { random: Uint8Array; sessionId: Uint8Array }>(hello: T): T {
  return { ...hello, random: NOTHING, sessionId: NOTHING };
}

/** A number from everything that goes into JA3 and JA4; equal keys are compared in full. */
function clientKey(hello: ClientHello, transport: Transport): number {
  let key = mix(hello.legacyVersion, transport.charCodeAt(0));
  key = mixAll(key, hello.cipherSuites);
  key = mixAll(key, hello.extensions);
  key = mixAll(key, hello.supportedGroups);
  key = mixAll(key, hello.signatureAlgorithms);
  return mixAll(key, hello.supportedVersions);
}

function sameClient(one: ClientHello, other: ClientHello): boolean {
  return (
    one.legacyVersion === other.legacyVersion &&
    one.alpn[0] === other.alpn[0] &&
    same(one.cipherSuites, other.cipherSuites) &&
    same(one.extensions, other.extensions) &&
    same(one.supportedGroups, other.supportedGroups) &&
    same(one.pointFormats, other.pointFormats) &&
    same(one.signatureAlgorithms, other.signatureAlgorithms) &&
    same(one.supportedVersions, other.supportedVersions)
  );
}

function sameServer(one: ServerHello, other: ServerHello): boolean {
  return (
    one.legacyVersion === other.legacyVersion &&
    one.cipherSuite === other.cipherSuite &&
    same(one.extensions, other.extensions)
  );
}

function same(one: readonly number[], other: readonly number[]): boolean {
  if (one.length !== other.length) return false;
  for (let at = 0; at < one.length; at++) if (one[at] !== other[at]) return false;
  return true;
}

/** FNV-1a's step, with 16 bits at a time. */
function mix(key: number, value: number): number {
  return Math.imul(key ^ value, 0x01000193);
}

function mixAll(key: number, values: readonly number[]): number {
  let mixed = mix(key, values.length);
  for (const value of values) mixed = mix(mixed, value);
  return mixed;
}

const NOTHING = new Uint8Array(0);
