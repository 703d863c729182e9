/**
 * Hellos back to back in one buffer that two threads share, on their way from the one to the other: as objects they would be
 * copied field by field, twice. Numbers are little-endian; both ends are the same process, so the layout is nobody else's business.
 */
import type { HelloEnds } from '../flow/hello-extractor.js';
import type { CapturedHello } from './captured-hello.js';

/** Fills one buffer with hellos. */
export class HelloBatch {
  readonly #buffer: Buffer;
  #used = 0;

  /** @param bytes what was in it is overwritten */
  constructor(bytes: SharedArrayBuffer) {
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

/** The most bytes that a hello needs; a buffer of as many takes it. */
export function roomFor({ raw, error }: CapturedHello): number {
  return HEAD + 2 * MAX_ADDRESS + (error === null ? 0 : error.length * 3) + raw.length;
}

/** Tells of each hello in the first `used` bytes of a batch where it begins, when it was captured, and how many bytes it takes. */
export function findHellos(
  batch: Buffer,
  used: number,
  take: (at: number, timeNs: bigint, size: number) => void,
): void {
  for (let at = 0, end = 0; at < used; at = end) {
    end = endAt(batch, at);
    take(at, timeAt(batch, at), end - at);
  }
}

/** The hello that begins at `at`; `raw` is borrowed from the batch. */
export function readHello(buffer: Buffer, at: number): { hello: CapturedHello; ends: HelloEnds } {
  const flags = buffer[at] ?? 0;
  const fromAt = at + HEAD;
  const toAt = fromAt + (buffer[at + 1] ?? 0);
  const errorAt = toAt + (buffer[at + 2] ?? 0);
  const rawAt = errorAt + buffer.readUInt32LE(at + 32);
  const hello: CapturedHello = {
    kind: flags & FLAG.server ? 'server' : 'client',
    transport: TRANSPORTS[buffer[at + 3] ?? 0] ?? 'tcp',
    raw: buffer.subarray(rawAt, endAt(buffer, at)),
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
  return { hello, ends: { from, to } };
}

function endAt(buffer: Buffer, at: number): number {
  const addresses = (buffer[at + 1] ?? 0) + (buffer[at + 2] ?? 0);
  return at + HEAD + addresses + buffer.readUInt32LE(at + 32) + buffer.readUInt32LE(at + 36);
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
