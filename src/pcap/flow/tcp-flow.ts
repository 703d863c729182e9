import { Conversation, type ConversationHello, type Direction } from '../../tls/conversation.js';
import type { CapturedHello } from '../hello/captured-hello.js';

/** Takes a hello of one direction of a connection. */
export type TcpHelloSink = (hello: CapturedHello, direction: Direction) => void;

/** One TCP connection of which data has been seen: sequence numbers become stream offsets, and segments hellos. */
export class TcpFlow {
  private readonly conversation = new Conversation();
  private readonly sides: readonly [Side, Side];
  private readonly sink: TcpHelloSink;

  /**
   * @param base for each direction, the sequence number of its first byte; null where the capture began later, and the
   *   stream is taken to start where it is first seen
   */
  constructor(base: readonly [number | null, number | null], sink: TcpHelloSink) {
    this.sink = sink;
    this.sides = [new Side(base[0]), new Side(base[1])];
    for (const direction of [0, 1] as const) {
      if (base[direction] === null) this.conversation.joinAt(direction, JOINED_AT);
    }
  }

  /** True once both hellos are seen or nothing more will be found. */
  get done(): boolean {
    return this.conversation.done;
  }

  /** Bytes kept for hellos that are not whole yet, and for holes that may be filled. */
  get heldBytes(): number {
    return this.conversation.heldBytes + MARK_COST * (this.sides[0].marks.length + this.sides[1].marks.length);
  }

  /** Whether a hello is begun, or bytes wait beyond a hole. */
  get unfinished(): boolean {
    return this.conversation.heldBytes > 0;
  }

  /** The sequence number of a direction's first byte, or where its start was not captured, of what was first seen; null before that. */
  firstOf(direction: Direction): number | null {
    const { base, known } = this.sides[direction];
    return base === null || known ? base : (base + JOINED_AT) >>> 0;
  }

  hasData(direction: Direction): boolean {
    return this.sides[direction].reached > 0;
  }

  /** The peer chose another first sequence number before it sent anything; false where the start was not captured. */
  rebase(direction: Direction, base: number): boolean {
    const side = this.sides[direction];
    if (side.known) side.base = base;
    return side.known;
  }

  /** Takes a segment's bytes; `sequence` is that of bytes[0]. */
  push(direction: Direction, sequence: number, bytes: Uint8Array, time: SegmentTime): void {
    const side = this.sides[direction];
    const offset = side.offsetOf(sequence);
    const hellos = this.conversation.push(direction, offset, bytes);
    side.reached = Math.max(side.reached, offset + bytes.length);
    for (const hello of hellos) this.emit(hello, offset, bytes.length, time.timeNs());
    if (!this.done) side.mark(offset, time);
  }

  /** Takes a segment whose hello has been told already. */
  replay(direction: Direction, sequence: number, bytes: Uint8Array, time: SegmentTime): void {
    const side = this.sides[direction];
    const offset = side.offsetOf(sequence);
    this.conversation.push(direction, offset, bytes);
    side.reached = offset + bytes.length;
    side.mark(offset, time);
  }

  /** The connection is over, or given up: hellos that were not finished come out as they are. */
  end(): void {
    for (const hello of this.conversation.end()) this.emit(hello, 0, 0, 0n);
  }

  /** @param timeNs of the segment at [offset, offset + length), the one that completed the hello */
  private emit(hello: ConversationHello, offset: number, length: number, timeNs: bigint): void {
    const { kind, raw, complete, segments, records, streamOffset, sslv2, error, direction, afterRetry } = hello;
    const side = this.sides[direction];
    const inThisSegment = streamOffset >= offset && streamOffset < offset + length;
    this.sink(
      {
        transport: 'tcp',
        kind,
        raw,
        complete,
        segments,
        records,
        streamOffset: side.known ? streamOffset : null,
        sslv2,
        afterRetry,
        error,
        timeNs: inThisSegment ? timeNs : (side.timeOf(streamOffset) ?? timeNs),
      },
      direction,
    );
  }
}

/** When a segment was captured: the halves of a file's timestamp, and what they mean once it is asked. */
export interface SegmentTime {
  readonly timeHigh: number;
  readonly timeLow: number;
  readonly clock: { toNs(high: number, low: number): bigint };
  timeNs(): bigint;
}

/** One direction. */
class Side {
  /** Whether the first byte's sequence number was learned from a SYN. */
  readonly known: boolean;
  base: number | null;
  /** Stream offset behind the last byte seen. */
  reached = 0;
  /** When each segment came that may hold the start of a hello. */
  marks: { offset: number; timeHigh: number; timeLow: number; clock: SegmentTime['clock'] }[] = [];

  constructor(base: number | null) {
    this.base = base;
    this.known = base !== null;
  }

  /** Stream offset of a sequence number: the one nearest to what was reached, as sequence numbers wrap. */
  offsetOf(sequence: number): number {
    if (this.base === null) {
      this.base = (sequence - JOINED_AT) >>> 0;
      this.reached = JOINED_AT;
    }
    const distance = (sequence - ((this.base + this.reached) | 0)) | 0;
    if (this.reached === 0 && Math.abs(distance) > MAX_WINDOW) {
      // No window is as large: the SYN that was seen belonged to another attempt.
      this.base = sequence;
      return 0;
    }
    return this.reached + distance;
  }

  mark(offset: number, { timeHigh, timeLow, clock }: SegmentTime): void {
    const mark = { offset, timeHigh, timeLow, clock };
    if (this.marks.length >= MAX_MARKS) this.marks.shift();
    // An array of one has room for one: most flows that stay unfinished have no more, and a push makes room for seventeen.
    if (this.marks.length === 0) this.marks = [mark];
    else this.marks.push(mark);
  }

  /** When the byte at `offset` came: with the last of the segments that start at it or before. */
  timeOf(offset: number): bigint | null {
    let best: Side['marks'][number] | null = null;
    for (const mark of this.marks) {
      if (mark.offset <= offset && (best === null || mark.offset > best.offset)) best = mark;
    }
    best ??= this.marks[0] ?? null;
    return best && best.clock.toNs(best.timeHigh, best.timeLow);
  }
}

/** Stream offset at which a direction begins whose start was not captured: any but 0, where an SSLv2 hello may stand. */
const JOINED_AT = 1;
const MAX_WINDOW = 16 << 20;
/** More segments than any hello is cut into. */
const MAX_MARKS = 512;
const MARK_COST = 64;
