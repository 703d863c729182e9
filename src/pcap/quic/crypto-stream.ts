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
  private bytes: Buffer = Buffer.alloc(0);
  /** Stream offset of bytes[0]. */
  private offset = 0;
  private segments = 0;
  private timeNs: bigint | null = null;
  private broken = false;

  /** Bytes kept until a message is whole. */
  get heldBytes(): number {
    return this.bytes.length + this.assembler.pendingBytes;
  }

  /** Takes the frames of one packet. */
  push(frames: readonly CryptoFrame[], timeNs: bigint): CryptoMessage[] {
    if (this.broken || frames.length === 0) return [];
    const before = this.assembler.nextOffset + this.assembler.pendingBytes;
    for (const frame of frames) {
      for (const run of this.assembler.push(frame.offset, frame.bytes)) {
        // A hole that was given up: what follows cannot be told apart any more.
        if (run.offset !== this.offset + this.bytes.length) this.broken = true;
        else this.bytes = Buffer.concat([this.bytes, run.bytes]);
        this.timeNs ??= timeNs;
      }
    }
    if (this.assembler.nextOffset + this.assembler.pendingBytes > before) this.segments++;
    return this.takeMessages(timeNs);
  }

  /** What there is of a message that will not be finished; null where not even its type has come. */
  end(): CryptoMessage | null {
    if (this.broken || this.bytes.length === 0) return null;
    const missing = this.wanted() - this.bytes.length;
    return this.message(this.bytes, false, `crypto stream ends, ${missing} bytes before the hello does`);
  }

  private takeMessages(timeNs: bigint): CryptoMessage[] {
    const messages: CryptoMessage[] = [];
    while (!this.broken && this.bytes.length >= HANDSHAKE_HEADER_LENGTH) {
      const wanted = this.wanted();
      if (wanted > MAX_HELLO_LENGTH) {
        messages.push(this.message(this.bytes, false, `handshake.length at offset 1: a hello of ${wanted} bytes`));
        this.broken = true;
        break;
      }
      if (this.bytes.length < wanted) break;
      messages.push(this.message(this.bytes.subarray(0, wanted), true, null));
      this.bytes = this.bytes.subarray(wanted);
      this.offset += wanted;
      this.segments = this.bytes.length > 0 ? 1 : 0;
      this.timeNs = this.bytes.length > 0 ? timeNs : null;
    }
    return messages;
  }

  /** Length of the message with its header, once that is there. */
  private wanted(): number {
    if (this.bytes.length < HANDSHAKE_HEADER_LENGTH) return HANDSHAKE_HEADER_LENGTH;
    return HANDSHAKE_HEADER_LENGTH + this.bytes.readUIntBE(1, 3);
  }

  private message(raw: Buffer, complete: boolean, error: string | null): CryptoMessage {
    const { offset: streamOffset, segments } = this;
    return { raw, complete, streamOffset, segments, timeNs: this.timeNs ?? 0n, error };
  }
}
