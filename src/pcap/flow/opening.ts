/**
 * The short way that nearly every connection takes: the first segment of each side holds its hello, whole, in one record.
 * Nothing is put in order or together then. Anything else goes through a TcpFlow, which sees the first segment as well.
 */
import type { Direction } from '../../tls/conversation.js';
import { HANDSHAKE_HEADER_LENGTH, helloKind, type HelloKind } from '../../tls/handshake.js';
import { ContentType, MAX_FRAGMENT_LENGTH, RECORD_HEADER_LENGTH } from '../../tls/record.js';
import { isRetryRandom } from '../../tls/server-hello.js';
import type { CapturedHello } from '../hello/captured-hello.js';
import type { SegmentTime } from './tcp-flow.js';

/** A connection of which so far only one segment was seen: one that starts a direction and holds a whole ClientHello. */
export class Opening implements SegmentTime {
  readonly direction: Direction;
  /** Sequence number of bytes[0], and the bytes themselves: a copy. */
  readonly sequence: number;
  readonly bytes: Buffer;
  readonly clock: SegmentTime['clock'];
  readonly timeHigh: number;
  readonly timeLow: number;

  constructor(direction: Direction, sequence: number, bytes: Buffer, time: SegmentTime) {
    this.direction = direction;
    this.sequence = sequence;
    this.bytes = bytes;
    this.clock = time.clock;
    this.timeHigh = time.timeHigh;
    this.timeLow = time.timeLow;
  }

  timeNs(): bigint {
    return this.clock.toNs(this.timeHigh, this.timeLow);
  }
}

/** Where the hello ends that a segment in buffer[start, end) starts with; 0 where it does not hold one whole. */
export function wholeHelloEnd(buffer: Buffer, start: number, end: number, kind: HelloKind): number {
  const body = start + RECORD_HEADER_LENGTH;
  if (end - body < MIN_MESSAGE || buffer[start] !== ContentType.handshake || buffer[start + 1] !== 3) return 0;
  const fragment = buffer.readUInt16BE(start + 3);
  const message = HANDSHAKE_HEADER_LENGTH + buffer.readUIntBE(body + 1, 3);
  if (fragment > MAX_FRAGMENT_LENGTH || message > fragment || message < MIN_MESSAGE || body + message > end) return 0;
  if (helloKind(buffer.readUInt8(body)) !== kind || (buffer[start + 2] ?? 0) > 4) return 0;
  if (kind === 'server' && isRetryRandom(buffer.subarray(body + RANDOM, body + RANDOM + 32))) return 0;
  return body + message;
}

/** The hello that wholeHelloEnd() found to end at `helloEnd`; borrowed from the buffer. */
export function wholeHello(
  buffer: Buffer,
  start: number,
  helloEnd: number,
  kind: HelloKind,
  timeNs: bigint,
): CapturedHello {
  return {
    kind,
    transport: 'tcp',
    raw: buffer.subarray(start + RECORD_HEADER_LENGTH, helloEnd),
    complete: true,
    segments: 1,
    records: 1,
    streamOffset: 0,
    sslv2: false,
    afterRetry: false,
    error: null,
    timeNs,
  };
}

/** Where the random stands in a message. */
const RANDOM = HANDSHAKE_HEADER_LENGTH + 2;
/** Up to the end of the random: less is left to the thorough way. */
const MIN_MESSAGE = RANDOM + 32;
