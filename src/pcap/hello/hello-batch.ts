/**
 * Hellos back to back in one buffer, on their way to another thread: handed over whole, where each hello as an object would be
 * copied field by field. Numbers are little-endian; both ends are the same process, so the layout is nobody else's business.
 */
import type { HelloEnds } from '../flow/hello-extractor.js';
import type { CapturedHello } from './captured-hello.js';

/** Fills one buffer with hellos. */
export class HelloBatch {
  readonly #buffer: Buffer;
  #used = 0;

  /** @param bytes taken over whole; what was in it is overwritten */
  constructor(bytes: ArrayBuffer) {
    this.#buffer = Buffer.from(bytes);
  }

  /** Bytes filled so far. */
  get used(): number {
    return this.#used;
  }

  /** Adds a copy of the hello; false where there is no room for it. */
  add(hello: CapturedHello, { from, to }: HelloEnds): boolean {
    const buffer = this.#buffer;
    const { raw, streamOffset, error } = hello;
    const errorLength = error === null ? 0 : Buffer.byteLength(error);
    let at = this.#used;
    if (buffer.length - at < roomFor(hello)) return false;
    buffer[at] = flagsOf(hello);
    buffer[at + 1] = from.address.length;
    buffer[at + 2] = to.address.length;
    buffer[at + 3] = TRANSPORTS.indexOf(hello.transport);
    buffer.writeUInt16LE(from.port, at + 4);
    buffer.writeUInt16LE(to.port, at + 6);
    // A hostile pcapng can name a moment of 95 bits.
    buffer.writeBigUInt64LE(BigInt.asUintN(64, hello.timeNs), at + 8);
    buffer.writeUInt32LE(hello.timeNs < BIT_64 ? 0 : Number(hello.timeNs >> 64n), at + 40);
    buffer.writeDoubleLE(streamOffset ?? 0, at + 16);
    buffer.writeUInt32LE(hello.segments, at + 24);
    buffer.writeUInt32LE(hello.records, at + 28);
    buffer.writeUInt32LE(errorLength, at + 32);
    buffer.writeUInt32LE(raw.length, at + 36);
    at += HEAD;
    at += buffer.write(from.address, at, 'latin1');
    at += buffer.write(to.address, at, 'latin1');
    if (error !== null) at += buffer.write(error, at);
    buffer.set(raw, at);
    this.#used = at + raw.length;
    return true;
  }
}

/** The most bytes that a batch needs for a hello; a buffer of as many takes it. */
export function roomFor({ raw, error }: CapturedHello): number {
  return HEAD + 2 * MAX_ADDRESS + (error === null ? 0 : error.length * 3) + raw.length;
}

/** Hands on the hellos of a batch in their order; `raw` is borrowed from it. */
export function readBatch(bytes: ArrayBuffer, used: number, take: (hello: CapturedHello, ends: HelloEnds) => void) {
  const buffer = Buffer.from(bytes);
  for (let at = 0; at < used;) {
    const flags = buffer[at] ?? 0;
    const fromAt = at + HEAD;
    const toAt = fromAt + (buffer[at + 1] ?? 0);
    const errorAt = toAt + (buffer[at + 2] ?? 0);
    const rawAt = errorAt + buffer.readUInt32LE(at + 32);
    const end = rawAt + buffer.readUInt32LE(at + 36);
    const hello: CapturedHello = {
      kind: flags & FLAG.server ? 'server' : 'client',
      transport: TRANSPORTS[buffer[at + 3] ?? 0] ?? 'tcp',
      raw: buffer.subarray(rawAt, end),
      complete: (flags & FLAG.complete) !== 0,
      segments: buffer.readUInt32LE(at + 24),
      records: buffer.readUInt32LE(at + 28),
      streamOffset: flags & FLAG.offsetKnown ? buffer.readDoubleLE(at + 16) : null,
      sslv2: (flags & FLAG.sslv2) !== 0,
      afterRetry: (flags & FLAG.afterRetry) !== 0,
      error: flags & FLAG.error ? buffer.toString('utf8', errorAt, rawAt) : null,
      timeNs: timeAt(buffer, at),
    };
    const from = { address: buffer.toString('latin1', fromAt, toAt), port: buffer.readUInt16LE(at + 4) };
    const to = { address: buffer.toString('latin1', toAt, errorAt), port: buffer.readUInt16LE(at + 6) };
    take(hello, { from, to });
    at = end;
  }
}

function timeAt(buffer: Buffer, at: number): bigint {
  const high = buffer.readUInt32LE(at + 40);
  const low = buffer.readBigUInt64LE(at + 8);
  return high === 0 ? low : (BigInt(high) << 64n) | low;
}

function flagsOf(hello: CapturedHello): number {
  return (
    (hello.kind === 'server' ? FLAG.server : 0) |
    (hello.complete ? FLAG.complete : 0) |
    (hello.sslv2 ? FLAG.sslv2 : 0) |
    (hello.afterRetry ? FLAG.afterRetry : 0) |
    (hello.streamOffset === null ? 0 : FLAG.offsetKnown) |
    (hello.error === null ? 0 : FLAG.error)
  );
}

const FLAG = { server: 1, complete: 2, sslv2: 4, afterRetry: 8, offsetKnown: 16, error: 32 } as const;
const TRANSPORTS = ['tcp', 'quic', 'dtls'] as const;
/** Everything but addresses, error and raw bytes. */
const HEAD = 44;
const BIT_64 = 2n ** 64n;
/** `xxxx:xxxx:xxxx:xxxx:xxxx:xxxx:255.255.255.255`. */
const MAX_ADDRESS = 45;
