/** Puts one hello together from the records and segments that it lies in. */
import { HANDSHAKE_HEADER_LENGTH, MAX_HELLO_LENGTH, type HelloKind } from './handshake.js';
import { canStartRecord, ContentType, fragmentLength, RECORD_HEADER_LENGTH } from './record.js';

export interface AssemblyStart {
  readonly kind: HelloKind;
  /** Stream offset of the record in which the hello starts. */
  readonly streamOffset: number;
  /** Length of an SSLv2 message with its record header; 0 for a hello in TLS records. */
  readonly sslv2Length: number;
}

export class HelloAssembly {
  readonly kind: HelloKind;
  readonly streamOffset: number;
  readonly sslv2: boolean;
  state: 'open' | 'complete' | 'broken' = 'open';
  /** Why it is broken. */
  error: string | null = null;
  segments = 0;
  records = 0;
  /** Bytes of the current record behind what was read of it; -1 where it is not known where the next record starts. */
  recordLeft = 0;

  /** Length of the message with its header; 0 as long as it is not known. */
  #wanted: number;
  #message: Uint8Array = NOTHING;
  #filled = 0;
  /** Made when it is needed: most hellos never are read record by record. */
  #header: Uint8Array | null = null;
  #headerFilled = 0;
  /** Stream offset of the next byte. */
  #offset: number;

  constructor({ kind, streamOffset, sslv2Length }: AssemblyStart) {
    this.kind = kind;
    this.streamOffset = streamOffset;
    this.sslv2 = sslv2Length > 0;
    this.#offset = streamOffset;
    this.#wanted = sslv2Length;
    if (this.sslv2) [this.recordLeft, this.records] = [sslv2Length, 1];
  }

  /** What there is of the message, header included. */
  get message(): Uint8Array {
    return this.#message.length === this.#filled ? this.#message : this.#message.subarray(0, this.#filled);
  }

  /** Bytes that the message still lacks; null as long as its length is not known. */
  get missing(): number | null {
    return this.#wanted === 0 ? null : this.#wanted - this.#filled;
  }

  /** Takes the bytes of one segment from `at` and returns where it stopped: at their end, or earlier once no longer open. */
  feed(bytes: Uint8Array, at: number): number {
    this.segments++;
    if (this.#offset === this.streamOffset) {
      const end = this.#takeWhole(bytes, at);
      if (end > 0) return end;
    }
    const start = at;
    const origin = this.#offset;
    while (at < bytes.length && this.state === 'open') {
      at = this.recordLeft === 0 ? this.#readHeader(bytes, at) : this.#readFragment(bytes, at);
      this.#offset = origin + at - start;
    }
    return at;
  }

  /** The common case, a hello alone in one record in one segment, without a copy; 0 where it is not that. */
  #takeWhole(bytes: Uint8Array, at: number): number {
    const body = this.sslv2 ? at : at + RECORD_HEADER_LENGTH;
    if (body + HANDSHAKE_HEADER_LENGTH > bytes.length) return 0;
    const wanted = this.sslv2 ? this.#wanted : messageLength(bytes, body);
    const fragment = this.sslv2 ? wanted : fragmentLength(bytes, at);
    if (wanted > fragment || wanted > MAX_HELLO_LENGTH || body + wanted > bytes.length) return 0;
    this.#wanted = wanted;
    this.#message = bytes.subarray(body, body + wanted);
    this.#filled = wanted;
    this.records = 1;
    this.recordLeft = fragment - wanted;
    this.state = 'complete';
    return body + wanted;
  }

  #readHeader(bytes: Uint8Array, at: number): number {
    const take = Math.min(RECORD_HEADER_LENGTH - this.#headerFilled, bytes.length - at);
    const header = (this.#header ??= new Uint8Array(RECORD_HEADER_LENGTH));
    header.set(bytes.subarray(at, at + take), this.#headerFilled);
    this.#headerFilled += take;
    if (this.#headerFilled < RECORD_HEADER_LENGTH) return at + take;
    this.#headerFilled = 0;
    const start = this.#offset + take - RECORD_HEADER_LENGTH;
    const length = fragmentLength(header, 0);
    if (!canStartRecord(header, 0)) this.#break(`record at stream offset ${start}: not a TLS record`, -1);
    else if (header[0] !== ContentType.handshake) {
      this.#break(`record at stream offset ${start}: content type ${header[0]} inside a hello`, length);
    } else if (length === 0) this.#break(`record at stream offset ${start}: empty, inside a hello`, 0);
    else [this.recordLeft, this.records] = [length, this.records + 1];
    return at + take;
  }

  #readFragment(bytes: Uint8Array, at: number): number {
    const lacking = this.#wanted === 0 ? HANDSHAKE_HEADER_LENGTH - this.#filled : this.#wanted - this.#filled;
    const take = Math.min(this.recordLeft, bytes.length - at, lacking);
    this.#append(bytes.subarray(at, at + take));
    this.recordLeft -= take;
    if (this.#wanted === 0 && this.#filled === HANDSHAKE_HEADER_LENGTH) {
      const wanted = messageLength(this.#message, 0);
      if (wanted > MAX_HELLO_LENGTH) {
        this.#break(
          `handshake.length at offset 1: a hello of ${wanted} bytes, at most ${MAX_HELLO_LENGTH} are kept`,
          -1,
        );
      } else this.#wanted = wanted;
    }
    if (this.state === 'open' && this.#filled === this.#wanted) this.state = 'complete';
    return at + take;
  }

  /** Grows by what has come, not by what is announced: a length is cheap to claim. */
  #append(bytes: Uint8Array): void {
    const needed = this.#filled + bytes.length;
    if (needed > this.#message.length) {
      const limit = this.#wanted === 0 ? needed : this.#wanted;
      const grown = new Uint8Array(Math.min(limit, Math.max(needed, 2 * this.#message.length)));
      grown.set(this.message);
      this.#message = grown;
    }
    this.#message.set(bytes, this.#filled);
    this.#filled = needed;
  }

  #break(error: string, recordLeft: number): void {
    this.state = 'broken';
    this.error = error;
    this.recordLeft = recordLeft;
  }
}

function messageLength(bytes: Uint8Array, at: number): number {
  const body = ((bytes[at + 1] ?? 0) << 16) | ((bytes[at + 2] ?? 0) << 8) | (bytes[at + 3] ?? 0);
  return HANDSHAKE_HEADER_LENGTH + body;
}

const NOTHING = new Uint8Array(0);
