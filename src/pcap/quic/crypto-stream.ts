import { HANDSHAKE_HEADER_LENGTH, MAX_HELLO_LENGTH } from '../../tls/handshake.js';
import { StreamAssembler } from '../../tls/stream.js';
import type { CryptoFrame } from './frames.js';

/** A handshake message from a crypto stream. */
export interface CryptoMessage {
  readonly raw: Buffer;
  readonly complete: boolean;
  readonly streamOffset: number;
  /** Packets that carried bytes of the stream since the last message. */
  readonly segments: number;
  /** Capture time of its first byte. */
  readonly timeNs: bigint;
  readonly error: string | null;
}

/**
 * One direction of a connection's crypto stream: frames in any order become handshake messages (RFC 9001 section 4.1.3).
 * Chrome cuts its ClientHello into pieces and mixes them up on purpose.
 */
export class CryptoStream {
  private readonly assembler = new StreamAssembler({ maxPendingBytes: MAX_HELLO_LENGTH, maxPendingPieces: 1024 });
  /** The bytes in order that no message has taken yet, and room for more behind them. */
  private room: Buffer = NOTHING;
  private filled = 0;
  /** Stream offset of room[0]. */
  private offset = 0;
  private segments = 0;
  private timeNs: bigint | null = null;
  private broken = false;

  /** Bytes kept until a message is whole. */
  get heldBytes(): number {
    return this.room.length + this.assembler.pendingBytes;
  }

  /** Takes the frames of one packet. */
  push(frames: readonly CryptoFrame[], timeNs: bigint): CryptoMessage[] {
    if (this.broken || frames.length === 0) return [];
    const before = this.assembler.nextOffset + this.assembler.pendingBytes;
    for (const frame of frames) {
      for (const run of this.assembler.push(frame.offset, frame.bytes)) {
        // A hole that was given up: what follows cannot be told apart any more.
        if (run.offset !== this.offset + this.filled) this.broken = true;
        else this.append(run.bytes);
        this.timeNs ??= timeNs;
      }
    }
    if (this.assembler.nextOffset + this.assembler.pendingBytes > before) this.segments++;
    return this.takeMessages(timeNs);
  }

  /** What there is of a message that will not be finished; null where not even its type has come. */
  end(): CryptoMessage | null {
    if (this.broken || this.filled === 0) return null;
    const missing = this.wanted() - this.filled;
    return this.message(this.filled, `crypto stream ends, ${missing} bytes before the hello does`);
  }

  /** Grows by what has come, and then to twice the size: a frame may hold a single byte. */
  private append(bytes: Uint8Array): void {
    const needed = this.filled + bytes.length;
    if (needed > this.room.length) {
      const grown = Buffer.alloc(Math.max(needed, 2 * this.filled));
      this.room.copy(grown, 0, 0, this.filled);
      this.room = grown;
    }
    this.room.set(bytes, this.filled);
    this.filled = needed;
  }

  private takeMessages(timeNs: bigint): CryptoMessage[] {
    const messages: CryptoMessage[] = [];
    while (!this.broken && this.filled >= HANDSHAKE_HEADER_LENGTH) {
      const wanted = this.wanted();
      if (wanted > MAX_HELLO_LENGTH) {
        messages.push(this.message(this.filled, `handshake.length at offset 1: a hello of ${wanted} bytes`));
        this.broken = true;
        break;
      }
      if (this.filled < wanted) break;
      messages.push(this.message(wanted, null));
      this.filled -= wanted;
      this.room = this.filled > 0 ? this.room.subarray(wanted) : NOTHING;
      this.offset += wanted;
      this.segments = this.filled > 0 ? 1 : 0;
      this.timeNs = this.filled > 0 ? timeNs : null;
    }
    return messages;
  }

  /** Length of the message with its header, once that is there. */
  private wanted(): number {
    if (this.filled < HANDSHAKE_HEADER_LENGTH) return HANDSHAKE_HEADER_LENGTH;
    return HANDSHAKE_HEADER_LENGTH + this.room.readUIntBE(1, 3);
  }

  /** The message in the first `length` bytes; cut short where there is an error. */
  private message(length: number, error: string | null): CryptoMessage {
    const { offset: streamOffset, segments } = this;
    const raw = this.room.subarray(0, length);
    return { raw, complete: error === null, streamOffset, segments, timeNs: this.timeNs ?? 0n, error };
  }
}

const NOTHING = Buffer.alloc(0);
