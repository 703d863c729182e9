/**
 * Hellos back to back in one buffer that two threads share, on their way from the one to the other: as objects they would be
 * copied field by field, twice. Both ends are the same process, so the layout is nobody else's business.
 */
import { FlowEnd } from '../flow/flow-end.js';
import type { HelloEnds } from '../flow/hello-extractor.js';
import type { CapturedHello } from './captured-hello.js';

/** A hello out of a batch; its time is told beside it. */
export type UntimedHello = Omit<CapturedHello, 'timeNs'> & { readonly raw: Buffer };

/** One buffer of hellos. */
export class HelloBatch {
  readonly bytes: SharedArrayBuffer;
  /** Bytes filled so far, and hellos in them. */
  used = 0;
  count = 0;
  readonly #buffer: Buffer;
  readonly #view: DataView;

  /** @param bytes what was in it is overwritten by add() */
  constructor(bytes: SharedArrayBuffer) {
    this.bytes = bytes;
    this.#buffer = Buffer.from(bytes);
    this.#view = new DataView(bytes);
  }

  /** Adds a copy of the hello; false where there is no room for it. */
  add(hello: CapturedHello, { from, to }: HelloEnds): boolean {
    const [buffer, view] = [this.#buffer, this.#view];
    const { raw, timeNs, streamOffset, error } = hello;
    const at = this.used;
    if (buffer.length - at < roomFor(hello)) return false;
    view.setUint8(at + FLAGS, flagsOf(hello));
    view.setUint8(at + TRANSPORT, TRANSPORTS.indexOf(hello.transport));
    putEnd(view, at + FROM, from);
    putEnd(view, at + TO, to);
    // A hostile pcapng can name a second beyond 2^53, which loses digits here: no calendar date can say it either.
    view.setFloat64(at + SECONDS, Number(timeNs / BILLION));
    view.setUint32(at + NANOS, Number(timeNs % BILLION));
    view.setFloat64(at + STREAM_OFFSET, streamOffset ?? 0);
    view.setUint32(at + SEGMENTS, hello.segments);
    view.setUint32(at + RECORDS, hello.records);
    const rawAt = at + HEAD + (error === null ? 0 : buffer.write(error, at + HEAD));
    buffer.set(raw, rawAt);
    const length = rawAt + raw.length - at;
    view.setUint32(at + RAW_LENGTH, raw.length);
    view.setUint32(at + LENGTH, length);
    this.used = at + length;
    this.count++;
    return true;
  }

  /** Tells of each hello in the first `used` bytes where it begins, and when it was captured. */
  each(used: number, take: (seconds: number, nanos: number, at: number) => void): void {
    const view = this.#view;
    for (let at = 0; at < used; at += view.getUint32(at + LENGTH)) {
      take(view.getFloat64(at + SECONDS), view.getUint32(at + NANOS), at);
    }
  }

  /** The hello that begins at `at`; `raw` is borrowed from the batch. */
  read(at: number): { hello: UntimedHello; ends: HelloEnds } {
    const [buffer, view] = [this.#buffer, this.#view];
    const flags = view.getUint8(at + FLAGS);
    const end = at + view.getUint32(at + LENGTH);
    const rawAt = end - view.getUint32(at + RAW_LENGTH);
    const hello: UntimedHello = {
      kind: flags & FLAG.server ? 'server' : 'client',
      transport: TRANSPORTS[view.getUint8(at + TRANSPORT)] ?? 'tcp',
      raw: buffer.subarray(rawAt, end),
      complete: (flags & FLAG.complete) !== 0,
      segments: view.getUint32(at + SEGMENTS),
      records: view.getUint32(at + RECORDS),
      streamOffset: flags & FLAG.offsetKnown ? view.getFloat64(at + STREAM_OFFSET) : null,
      sslv2: (flags & FLAG.sslv2) !== 0,
      afterRetry: (flags & FLAG.afterRetry) !== 0,
      error: flags & FLAG.error ? buffer.toString('utf8', at + HEAD, rawAt) : null,
    };
    return { hello, ends: { from: endAt(view, at + FROM), to: endAt(view, at + TO) } };
  }
}

/** The most bytes that a hello needs; a buffer of as many takes it. */
export function roomFor({ raw, error }: CapturedHello): number {
  return HEAD + (error === null ? 0 : error.length * 3) + raw.length;
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

function putEnd(view: DataView, at: number, { family, words, port }: FlowEnd): void {
  view.setUint16(at, port);
  view.setUint16(at + 2, family);
  for (let index = 0; index < 4; index++) view.setInt32(at + 4 + index * 4, words[index] ?? 0);
}

function endAt(view: DataView, at: number): FlowEnd {
  const word = (index: number): number => view.getInt32(at + 4 + index * 4);
  return new FlowEnd(view.getUint16(at + 2) === 4 ? 4 : 6, [word(0), word(1), word(2), word(3)], view.getUint16(at));
}

const FLAG = { server: 1, complete: 2, sslv2: 4, afterRetry: 8, offsetKnown: 16, error: 32 } as const;
const TRANSPORTS = ['tcp', 'quic', 'dtls'] as const;
// Where the fields of a hello stand; behind them the error and the raw bytes.
const SECONDS = 0;
const STREAM_OFFSET = 8;
const NANOS = 16;
const SEGMENTS = 20;
const RECORDS = 24;
const RAW_LENGTH = 28;
/** Of all of it. */
const LENGTH = 32;
const FROM = 36;
const TO = 56;
const FLAGS = 76;
const TRANSPORT = 77;
const HEAD = 78;
const BILLION = 1_000_000_000n;
