/**
 * Hellos over DTLS: records in datagrams, messages in fragments that come in any order and more than once
 * (RFC 6347, section 4.2.3; RFC 9147, section 5.5).
 */
import {
  DTLS_HANDSHAKE_HEADER_LENGTH,
  HandshakeType,
  helloKind,
  MAX_HELLO_LENGTH,
  type HelloKind,
} from './handshake.js';
import type { FoundHello } from './hello-finder.js';
import { ContentType } from './record.js';
import { isRetryRandom } from './server-hello.js';
import { StreamAssembler } from './stream.js';

/** A hello found in datagrams; `segments` counts datagrams, and `raw` has the 12-byte header of a message sent in one fragment. */
export interface DtlsHello extends Omit<FoundHello, 'streamOffset'> {
  /** Datagrams have no place in a stream. */
  readonly streamOffset: null;
  /** True for the hellos after a HelloVerifyRequest or HelloRetryRequest, which message_seq tells. */
  readonly afterRetry: boolean;
  readonly helloRetryRequest: boolean;
  /** What push() was told with the datagram that its first bytes came in. */
  readonly timeNs: bigint;
}

/** type, version, epoch, sequence number and length (RFC 6347, section 4.1). */
export const DTLS_RECORD_HEADER_LENGTH = 13;

/** Whether the record header that starts at `at`, of which three bytes are looked at, can be one of DTLS. */
export function canStartDtlsRecord(bytes: Uint8Array, at: number): boolean {
  const type = bytes[at] ?? 0;
  if (type < ContentType.changeCipherSpec || type > LAST_CONTENT_TYPE) return false;
  const major = bytes[at + 1] ?? 0;
  // 0x0100 is what OpenSSL wrote before DTLS 1.0 was final, and Cisco's AnyConnect still does.
  return major === 0xfe || (major === 1 && bytes[at + 2] === 0);
}

/**
 * Whether an unencrypted DTLS record of a datagram starts with a fragment of a ClientHello, ServerHello or
 * HelloVerifyRequest, with lengths that fit each other: cheap enough to ask of every UDP payload, and of one that is cut short.
 * It need not be the first record: an alert may stand before it (RFC 6347, section 4.1.1).
 */
export function holdsDtlsHello(datagram: Uint8Array): boolean {
  for (let at = 0; at < datagram.length;) {
    const record = readRecord(datagram, at);
    if (record === null) return false;
    if (isHandshake(record)) {
      const type = readFragment(datagram, record.start, record.end)?.type ?? 0;
      if (helloKind(type) !== null || type === HandshakeType.helloVerifyRequest) return true;
    }
    at = record.end;
  }
  return false;
}

/**
 * Finds the hellos in the datagrams of one direction. The same ports may see one association after another (RFC 6347, section
 * 4.2.8): a hello says by its random which one it belongs to, as it keeps that with the cookie, after a HelloRetryRequest and
 * when it is sent again.
 */
export class DtlsFinder {
  /** How often a ClientHello began another association than the one before. */
  clientRestarts = 0;
  #done = false;
  /** What is put together, at most one of each message_seq. */
  #messages: Assembly[] = [];
  /** What was told of the association: the same again is no other hello. */
  #reported: MessageFacts[] = [];

  /** True once nothing more will be found of this association; another one begins anew. */
  get done(): boolean {
    return this.#done;
  }

  /** Bytes kept for messages that are not whole yet. */
  get heldBytes(): number {
    return this.#messages.reduce((sum, { heldBytes }) => sum + heldBytes, 0);
  }

  /** Takes the payload of a datagram. `raw` of what it returns may be a view into it. */
  push(datagram: Uint8Array, timeNs = 0n): DtlsHello[] {
    const found: DtlsHello[] = [];
    for (let at = 0; at < datagram.length;) {
      const record = readRecord(datagram, at);
      if (record === null) break;
      if (isHandshake(record)) this.#takeRecord(datagram, record, timeNs, found);
      at = record.end;
    }
    return found;
  }

  /** Another association begins: what is not whole comes out as far as it reaches. */
  restart(): DtlsHello[] {
    const found = this.end();
    this.#reported = [];
    this.#done = false;
    return found;
  }

  /** No more datagrams will come: what is not whole comes out as far as it reaches. */
  end(): DtlsHello[] {
    const found: DtlsHello[] = [];
    for (const message of this.#messages) {
      if (this.#isRepeated(message)) continue;
      const error = `handshake.fragment at offset ${message.filled}: ${message.missing} of ${message.length} bytes are missing`;
      found.push(describe(message, error));
    }
    this.#finish();
    return found;
  }

  #takeRecord(datagram: Uint8Array, record: DtlsRecord, timeNs: bigint, found: DtlsHello[]): void {
    const counted = new Set<Assembly>();
    for (let at = record.start; at < record.end;) {
      const fragment = readFragment(datagram, at, record.end);
      if (fragment === null) break;
      at = fragment.end;
      const kind = helloKind(fragment.type);
      if (kind === null) continue;
      const { seq, length } = fragment;
      this.#assign({ kind, seq, length, random: fragment.offset === 0 ? randomOf(fragment.message) : null }, found);
      const message = this.#messageOf(fragment, kind, timeNs);
      if (message === null) continue;
      if (!counted.has(message)) message.records++;
      counted.add(message);
      message.take(datagram, fragment);
      if (message.random === null) {
        const random = randomOf(message.present);
        this.#assign({ kind, seq, length, random }, found);
        message.random = random;
      }
      if (message.filled === message.length) this.#complete(message, found);
    }
  }

  /** Begins anew where a message is not of the association that is looked at. */
  #assign(message: MessageFacts, found: DtlsHello[]): void {
    const isOther = (known: MessageFacts): boolean => isOfAnother(known, message);
    if (!this.#reported.some(isOther) && !this.#messages.some(isOther)) return;
    // Of its fragments, some may have come before the one that has its random.
    const isBegun = ({ kind, seq, length, random }: Assembly): boolean =>
      kind === message.kind && seq === message.seq && length === message.length && random === null;
    const begun = this.#messages.filter(isBegun);
    this.#messages = this.#messages.filter((other) => !isBegun(other));
    found.push(...this.restart());
    this.#messages = begun;
    if (message.kind === 'client') this.clientRestarts++;
  }

  #messageOf(fragment: Fragment, kind: HelloKind, timeNs: bigint): Assembly | null {
    if (this.#done) return null;
    const { seq } = fragment;
    const known = this.#messages.find((message) => message.seq === seq);
    if (known !== undefined) return known;
    const begun = this.#messages.filter((message) => !this.#isRepeated(message)).length;
    if (!this.#isRepeated(fragment) && this.#reported.length + begun >= MAX_HELLOS) return null;
    const made = new Assembly(kind, fragment, timeNs);
    this.#messages = [...this.#messages, made];
    return made;
  }

  #complete(message: Assembly, found: DtlsHello[]): void {
    const isRepeated = this.#isRepeated(message);
    this.#messages = this.#messages.filter((other) => other !== message);
    if (isRepeated) return;
    const hello = describe(message, null);
    found.push(hello);
    const { kind, seq, length, random } = message;
    // An array of one has room for one; most have no more, and a push makes room for seventeen.
    this.#reported = [...this.#reported, { kind, seq, length, random }];
    const answered = hello.kind === 'server' && !hello.helloRetryRequest;
    if (answered || this.#reported.length >= MAX_HELLOS) this.#finish();
  }

  /** Whether a message was told before, as far as can be said. */
  #isRepeated({ seq }: { readonly seq: number }): boolean {
    return this.#reported.some((message) => message.seq === seq);
  }

  #finish(): void {
    this.#done = true;
    this.#messages = [];
  }
}

/** What tells a message from others. */
interface MessageFacts {
  readonly kind: HelloKind;
  readonly seq: number;
  readonly length: number;
  /** As text, which takes the least memory; null where it has not come. */
  readonly random: string | null;
}

/**
 * Whether a message cannot be of the same association as a known one of the same sender. That the ServerHello after a
 * HelloRetryRequest then counts as one of another takes nothing away: both are told.
 */
function isOfAnother(known: MessageFacts, message: MessageFacts): boolean {
  if (known.kind !== message.kind) return true;
  if (known.seq === message.seq && known.length !== message.length) return true;
  return known.random !== null && message.random !== null && known.random !== message.random;
}

/** Of a message with its header, as far as it is there. */
function randomOf({ buffer, byteOffset, length }: Uint8Array): string | null {
  if (length < RANDOM_END) return null;
  return Buffer.from(buffer, byteOffset + RANDOM_START, RANDOM_END - RANDOM_START).toString('latin1');
}

/** One message, from fragments in any order. */
class Assembly implements MessageFacts {
  readonly kind: HelloKind;
  readonly seq: number;
  /** Length of the body. */
  readonly length: number;
  random: string | null = null;
  /** When its first fragment came. */
  readonly timeNs: bigint;
  records = 0;
  datagrams = 0;
  /** Bytes of the body that are there without a hole. */
  filled = 0;
  /** Header, body and room for more of it; a view where it came in one fragment. */
  raw: Uint8Array;
  readonly #body: StreamAssembler;
  #last: Uint8Array | null = null;
  /** Bytes behind holes that were given up. */
  #cutOff = 0;

  constructor(kind: HelloKind, first: Fragment, timeNs: bigint) {
    this.kind = kind;
    this.seq = first.seq;
    this.length = first.length;
    this.timeNs = timeNs;
    this.raw = wholeHeader(first);
    this.#body = new StreamAssembler({ maxPendingBytes: MAX_HELLO_LENGTH });
  }

  /** Header and what there is of the body without a hole. */
  get present(): Uint8Array {
    return this.raw.subarray(0, DTLS_HANDSHAKE_HEADER_LENGTH + this.filled);
  }

  get heldBytes(): number {
    return this.raw.length + this.#body.pendingBytes;
  }

  /** Bytes of the body that never came; some that did may stand behind them. */
  get missing(): number {
    return this.length - this.filled - this.#body.pendingBytes - this.#cutOff;
  }

  take(datagram: Uint8Array, fragment: Fragment): void {
    if (this.#last !== datagram) this.datagrams++;
    this.#last = datagram;
    const whole = fragment.bytes.length === this.length;
    if (whole && this.filled === 0) {
      this.raw = fragment.message;
      this.filled = this.length;
      return;
    }
    for (const run of this.#body.push(fragment.offset, fragment.bytes)) {
      // A hole that was given up cannot be filled any more.
      if (run.offset === this.filled) this.#append(run.bytes);
      else this.#cutOff += run.bytes.length;
    }
  }

  /** Grows by what has come, not by what is announced. */
  #append(bytes: Uint8Array): void {
    const used = DTLS_HANDSHAKE_HEADER_LENGTH + this.filled;
    const needed = used + bytes.length;
    if (needed > this.raw.length) {
      const limit = DTLS_HANDSHAKE_HEADER_LENGTH + this.length;
      const grown = new Uint8Array(Math.min(limit, Math.max(needed, 2 * this.raw.length)));
      grown.set(this.raw.subarray(0, used));
      this.raw = grown;
    }
    this.raw.set(bytes, used);
    this.filled += bytes.length;
  }
}

interface DtlsRecord {
  readonly type: number;
  readonly epoch: number;
  readonly start: number;
  /** Where its length says that it ends; beyond the datagram where that was cut short. */
  readonly end: number;
}

interface Fragment {
  readonly type: number;
  /** Of the whole message's body. */
  readonly length: number;
  readonly seq: number;
  readonly offset: number;
  /** Fewer than were sent where the datagram was cut short. */
  readonly bytes: Uint8Array;
  /** Header and bytes. */
  readonly message: Uint8Array;
  readonly end: number;
}

/** Null where no record with the old header starts; DTLS 1.3 has another for what is encrypted, and no hello is. */
function readRecord(bytes: Uint8Array, at: number): DtlsRecord | null {
  const start = at + DTLS_RECORD_HEADER_LENGTH;
  if (start > bytes.length) return null;
  if (!canStartDtlsRecord(bytes, at)) return null;
  return { type: bytes[at] ?? 0, epoch: read16(bytes, at + 3), start, end: start + read16(bytes, at + 11) };
}

function isHandshake(record: DtlsRecord): boolean {
  return record.type === ContentType.handshake && record.epoch === 0;
}

/** Null where the fragment's lengths do not fit into the record or into the message. */
function readFragment(bytes: Uint8Array, at: number, limit: number): Fragment | null {
  const start = at + DTLS_HANDSHAKE_HEADER_LENGTH;
  if (start > limit || start > bytes.length) return null;
  const length = read24(bytes, at + 1);
  const offset = read24(bytes, at + 6);
  const fragmentLength = read24(bytes, at + 9);
  const end = start + fragmentLength;
  if (length > MAX_HELLO_LENGTH || offset + fragmentLength > length || end > limit) return null;
  return {
    type: bytes[at] ?? 0,
    length,
    seq: read16(bytes, at + 4),
    offset,
    bytes: bytes.subarray(start, end),
    message: bytes.subarray(at, end),
    end,
  };
}

function describe(message: Assembly, error: string | null): DtlsHello {
  const raw = message.present;
  const helloRetryRequest = message.kind === 'server' && isRetryRandom(raw, RANDOM_START);
  return {
    kind: message.kind,
    raw,
    complete: error === null,
    segments: message.datagrams,
    records: message.records,
    streamOffset: null,
    sslv2: false,
    afterRetry: message.seq > 0 && !helloRetryRequest,
    helloRetryRequest,
    timeNs: message.timeNs,
    error,
  };
}

/** The header that the message would have had in one fragment. */
function wholeHeader({ message, length }: Fragment): Uint8Array {
  // Not slice(): of a Buffer that is a view, and what is written below would land in the caller's memory.
  const header = new Uint8Array(message.subarray(0, DTLS_HANDSHAKE_HEADER_LENGTH));
  header.set([0, 0, 0, length >> 16, (length >> 8) & 0xff, length & 0xff], 6);
  return header;
}

function read16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}

function read24(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 16) | ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0);
}

/** Hellos of one association and direction, put together at once and reported at all. */
const MAX_HELLOS = 4;
/** Heartbeat, connection id and acknowledgement (RFC 9147, section 4) travel beside the four of TLS. */
const LAST_CONTENT_TYPE = 26;
/** Where the random lies in a message with its header. */
const RANDOM_START = DTLS_HANDSHAKE_HEADER_LENGTH + 2;
const RANDOM_END = RANDOM_START + 32;
