/**
 * What of a hello decides everything that is told of it but the server name: versions, cipher suites, extension types, and the bodies
 * of the few extensions that are read. Random, session id, key shares, tickets and padding are left out, in which the hellos of one
 * client differ. Hellos of one outline have one description, so that each client need be described once.
 */
import { Extension } from './extensions.js';
import { DTLS_HANDSHAKE_HEADER_LENGTH, HANDSHAKE_HEADER_LENGTH, HandshakeType, type HelloKind } from './handshake.js';
import type { Transport } from './ja4.js';
import { isRetryRandom } from './server-hello.js';

/** The outline of one hello after the other; there is one object for all of them, and it keeps nothing of their bytes. */
export class Outline {
  /** A number of the outline; equal outlines have equal ones. */
  hash = 0;
  /** Where in the message the server name stands; equal where there is none. */
  nameStart = 0;
  nameEnd = 0;
  readonly #kept = Buffer.alloc(MAX_OUTLINE);
  #length = 0;
  #message: Uint8Array = NOTHING;
  #at = 0;

  /**
   * Outlines a whole hello message as describeHello() takes it. False where it has none: whatever describeHello() finds an error
   * in, and some rare forms more. Such a hello must be described by itself.
   */
  of(message: Uint8Array, kind: HelloKind, transport: Transport): boolean {
    this.#message = message;
    this.#at = 0;
    this.#length = 0;
    this.hash = FNV_OFFSET;
    this.nameStart = this.nameEnd = 0;
    this.#keep(kind === 'client' ? 1 : 2);
    this.#keep(transport.charCodeAt(0));
    const client = kind === 'client';
    const dtls = transport === 'dtls';
    if (!this.#header(client ? HandshakeType.clientHello : HandshakeType.serverHello, dtls)) return false;
    if (!(client ? this.#client(dtls) : this.#server())) return false;
    return this.#length <= MAX_OUTLINE;
  }

  /** A copy of what is kept. */
  bytes(): Uint8Array {
    return Uint8Array.from(this.#kept.subarray(0, this.#length));
  }

  equals(bytes: Uint8Array): boolean {
    return bytes.length === this.#length && this.#kept.compare(bytes, 0, bytes.length, 0, bytes.length) === 0;
  }

  /** The message must be exactly as long as it says, and over DTLS in one fragment. */
  #header(type: number, dtls: boolean): boolean {
    const header = dtls ? DTLS_HANDSHAKE_HEADER_LENGTH : HANDSHAKE_HEADER_LENGTH;
    const length = this.#message.length - header;
    if (length < MIN_BODY || this.#message[0] !== type || this.#u24(1) !== length) return false;
    if (dtls && (this.#u24(6) !== 0 || this.#u24(9) !== length)) return false;
    this.#at = header;
    return true;
  }

  #client(dtls: boolean): boolean {
    this.#keepTo(this.#at + 2);
    this.#at += RANDOM_LENGTH;
    this.#skip8();
    if (dtls) this.#skip8();
    const ciphers = this.#u16(this.#at);
    if (ciphers % 2 !== 0) return false;
    this.#keepTo(this.#at + 2 + ciphers);
    this.#skip8();
    return this.#extensions(true);
  }

  #server(): boolean {
    const version = this.#u16(this.#at);
    // Drafts of TLS 1.3 had another layout, and a HelloRetryRequest is told as one.
    if (version >> 8 === 0x7f || isRetryRandom(this.#message, this.#at + 2)) return false;
    this.#keepTo(this.#at + 2);
    this.#at += RANDOM_LENGTH;
    this.#skip8();
    this.#keepTo(this.#at + 2);
    this.#at += 1;
    return this.#extensions(false);
  }

  /** They must fill the message, or not be there at all. */
  #extensions(client: boolean): boolean {
    const end = this.#message.length;
    if (this.#at === end) return true;
    if (this.#at + 2 > end || this.#at + 2 + this.#u16(this.#at) !== end) return false;
    this.#at += 2;
    while (this.#at < end) {
      if (this.#at + 4 > end) return false;
      const type = this.#u16(this.#at);
      const body = this.#at + 4;
      const bodyEnd = body + this.#u16(this.#at + 2);
      if (bodyEnd > end) return false;
      this.#keepTo(this.#at + 2);
      if (!(client ? this.#clientExtension(type, body, bodyEnd) : this.#serverExtension(type, bodyEnd))) return false;
      this.#at = bodyEnd;
    }
    return true;
  }

  #clientExtension(type: number, body: number, end: number): boolean {
    switch (type) {
      case Extension.supportedGroups:
      case Extension.ecPointFormats:
      case Extension.signatureAlgorithms:
      case Extension.alpn:
      case Extension.supportedVersions:
        this.#keepTo(end);
        return true;
      case Extension.serverName:
        return this.#serverName(body, end);
      case Extension.encryptedClientHello:
        return this.#isOuterEch(body, end);
      default:
        return true;
    }
  }

  #serverExtension(type: number, end: number): boolean {
    switch (type) {
      case Extension.supportedVersions:
      case Extension.alpn:
      case Extension.supportedGroups:
      case Extension.ecPointFormats:
        this.#keepTo(end);
        return true;
      case Extension.keyShare:
        return end - this.#at >= 4;
      default:
        return true;
    }
  }

  /** One host name and nothing else, once (RFC 6066, section 3). */
  #serverName(body: number, end: number): boolean {
    const name = body + 5;
    if (this.nameEnd !== 0 || end <= name) return false;
    if (this.#u16(body) !== end - body - 2 || this.#message[body + 2] !== 0 || this.#u16(body + 3) !== end - name)
      return false;
    this.nameStart = name;
    this.nameEnd = end;
    return true;
  }

  /** The outer form with lengths that hold (RFC 9849, section 5); what is in it is told of nobody. */
  #isOuterEch(body: number, end: number): boolean {
    if (end - body < 10 || this.#message[body] !== 0) return false;
    const payload = body + 8 + this.#u16(body + 6);
    return payload + 2 <= end && payload + 2 + this.#u16(payload) === end;
  }

  /** Beyond the end it reads zeros; then #extensions() finds itself behind the end. */
  #u16(at: number): number {
    return ((this.#message[at] ?? 0) << 8) | (this.#message[at + 1] ?? 0);
  }

  #u24(at: number): number {
    return ((this.#message[at] ?? 0) << 16) | this.#u16(at + 1);
  }

  /** Passes over a vector whose length is in the one byte before it. */
  #skip8(): void {
    this.#at += 1 + (this.#message[this.#at] ?? 0);
  }

  /** Keeps the message's bytes from here to `end`, and hashes them by FNV-1a. Of what does not fit only the length grows. */
  #keepTo(end: number): void {
    let [at, hash] = [this.#at, this.hash];
    for (let to = this.#length; at < end && to < MAX_OUTLINE; at++, to++) {
      const byte = this.#message[at] ?? 0;
      this.#kept[to] = byte;
      hash = Math.imul(hash ^ byte, FNV_PRIME);
    }
    this.hash = hash;
    this.#length += end - this.#at;
    this.#at = end;
  }

  #keep(byte: number): void {
    this.#kept[this.#length++] = byte;
    this.hash = Math.imul(this.hash ^ byte, FNV_PRIME);
  }
}

/** What was made of a hello, for the next one of the same outline. Bounded, the oldest goes first. */
export class ByOutline<Value> {
  readonly #entries = new Map<number, { readonly bytes: Uint8Array; readonly value: Value }>();
  readonly #capacity: number;

  constructor(capacity = 4096) {
    this.#capacity = capacity;
  }

  get(outline: Outline): Value | undefined {
    const entry = this.#entries.get(outline.hash);
    return entry && outline.equals(entry.bytes) ? entry.value : undefined;
  }

  set(outline: Outline, value: Value): void {
    this.#entries.set(outline.hash, { bytes: outline.bytes(), value });
    if (this.#entries.size <= this.#capacity) return;
    for (const oldest of this.#entries.keys()) {
      this.#entries.delete(oldest);
      return;
    }
  }
}

const NOTHING = new Uint8Array(0);
const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;
/** Longer ones are no client's that anybody meets twice. */
const MAX_OUTLINE = 4096;
/** Version, random, empty session id. */
const MIN_BODY = 35;
const RANDOM_LENGTH = 32;
