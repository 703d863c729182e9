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
}

export interface DtlsFinderOptions {
  /** Datagrams looked at that belong to no hello; then the search ends. */
  readonly datagramBudget?: number;
  /** Hellos put together at once, and reported at all. */
  readonly maxHellos?: number;
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

/** Finds the hellos in the datagrams of one direction. */
export class DtlsFinder {
  readonly #datagramBudget: number;
  readonly #maxHellos: number;
  #idle = 0;
  #reported = 0;
  #done = false;
  /** By message_seq; null once reported, so that a retransmission is not another hello. */
  readonly #messages = new Map<number, Assembly | null>();

  constructor(options: DtlsFinderOptions = {}) {
    this.#datagramBudget = options.datagramBudget ?? 24;
    this.#maxHellos = options.maxHellos ?? 4;
  }

  /** True once nothing more will be found; further datagrams are ignored. */
  get done(): boolean {
    return this.#done;
  }

  /** Takes the payload of a datagram. `raw` of what it returns may be a view into it. */
  push(datagram: Uint8Array): DtlsHello[] {
    const found: DtlsHello[] = [];
    let touched = false;
    let at = 0;
    while (!this.#done && at < datagram.length) {
      const record = readRecord(datagram, at);
      if (record === null) break;
      if (isHandshake(record)) touched = this.#takeRecord(datagram, record, found) || touched;
      at = record.end;
    }
    if (!touched && ++this.#idle >= this.#datagramBudget) this.#finish();
    return found;
  }

  /** No more datagrams will come: what is not whole comes out as far as it reaches. */
  end(): DtlsHello[] {
    const found: DtlsHello[] = [];
    for (const [seq, message] of this.#messages) {
      if (message === null) continue;
      const error = `handshake.fragment at offset ${message.filled}: ${message.missing} of ${message.length} bytes are missing`;
      found.push(describe(message, seq, error));
    }
    this.#finish();
    return found;
  }

  #takeRecord(datagram: Uint8Array, record: DtlsRecord, found: DtlsHello[]): boolean {
    let touched = false;
    const counted = new Set<Assembly>();
    for (let at = record.start; !this.#done && at < record.end;) {
      const fragment = readFragment(datagram, at, record.end);
      if (fragment === null) break;
      at = fragment.end;
      const kind = helloKind(fragment.type);
      if (kind === null) continue;
      touched = true;
      const message = this.#messageOf(fragment, kind);
      if (message?.length !== fragment.length) continue;
      if (!counted.has(message)) message.records++;
      counted.add(message);
      message.take(datagram, fragment);
      if (message.filled === message.length) this.#report(message, fragment.seq, found);
    }
    return touched;
  }

  #messageOf(fragment: Fragment, kind: HelloKind): Assembly | null {
    const known = this.#messages.get(fragment.seq);
    if (known !== undefined) return known;
    if (this.#messages.size >= this.#maxHellos) return null;
    const made = new Assembly(kind, fragment);
    this.#messages.set(fragment.seq, made);
    return made;
  }

  #report(message: Assembly, seq: number, found: DtlsHello[]): void {
    const hello = describe(message, seq, null);
    found.push(hello);
    this.#messages.set(seq, null);
    const answered = hello.kind === 'server' && !hello.helloRetryRequest;
    if (answered || ++this.#reported >= this.#maxHellos) this.#finish();
  }

  #finish(): void {
    this.#done = true;
    this.#messages.clear();
  }
}

/** One message, from fragments in any order. */
class Assembly {
  readonly kind: HelloKind;
  /** Length of the body. */
  readonly length: number;
  records = 0;
  datagrams = 0;
  /** Bytes of the body that are there without a hole. */
  filled = 0;
  /** Header and what there is of the body; a view where it came in one fragment. */
  raw: Uint8Array;
  readonly #body: StreamAssembler;
  #last: Uint8Array | null = null;
  /** Bytes behind holes that were given up. */
  #cutOff = 0;

  constructor(kind: HelloKind, first: Fragment) {
    this.kind = kind;
    this.length = first.length;
    this.raw = wholeHeader(first);
    this.#body = new StreamAssembler({ maxPendingBytes: MAX_HELLO_LENGTH });
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

function describe(message: Assembly, seq: number, error: string | null): DtlsHello {
  const raw = message.raw.subarray(0, DTLS_HANDSHAKE_HEADER_LENGTH + message.filled);
  const helloRetryRequest = message.kind === 'server' && isRetryRandom(raw, RANDOM_START);
  return {
    kind: message.kind,
    raw,
    complete: error === null,
    segments: message.datagrams,
    records: message.records,
    streamOffset: null,
    sslv2: false,
    afterRetry: seq > 0 && !helloRetryRequest,
    helloRetryRequest,
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

/** Heartbeat, connection id and acknowledgement (RFC 9147, section 4) travel beside the four of TLS. */
const LAST_CONTENT_TYPE = 26;
/** Where the random lies in a message with its header. */
const RANDOM_START = DTLS_HANDSHAKE_HEADER_LENGTH + 2;
