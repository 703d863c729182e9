import { DTLS_RECORD_HEADER_LENGTH, DtlsFinder, type DtlsHello } from '../../tls/dtls.js';
import { helloKind } from '../../tls/handshake.js';
import type { CapturedHello } from '../hello/captured-hello.js';

/** A DTLS association: the datagrams of both directions become hellos. */
export class DtlsFlow {
  private readonly sink: (hello: CapturedHello, fromLow: boolean) => void;
  private readonly low = new DtlsFinder();
  private readonly high = new DtlsFinder();
  private answered = false;
  /** When each direction's unfinished hello began. */
  private readonly began: { low: bigint | null; high: bigint | null } = { low: null, high: null };
  private bytes = 0;

  constructor(sink: (hello: CapturedHello, fromLow: boolean) => void) {
    this.sink = sink;
  }

  /** True once the server's hello is seen, or nothing more will be found. */
  get done(): boolean {
    return this.answered || (this.low.done && this.high.done);
  }

  get unfinished(): boolean {
    return this.bytes > 0;
  }

  /** Bytes kept for hellos that are not whole yet: what was taken since the last one, at most. */
  get heldBytes(): number {
    return this.bytes;
  }

  /** Takes the datagram in buffer[start, end). */
  datagram(fromLow: boolean, buffer: Buffer, start: number, end: number, timeNs: () => bigint): void {
    const side = fromLow ? 'low' : 'high';
    const time = timeNs();
    // Not a HelloVerifyRequest's: it comes before the hello and is none.
    if (helloKind(buffer[start + DTLS_RECORD_HEADER_LENGTH] ?? 0) !== null) this.began[side] ??= time;
    this.bytes += end - start;
    for (const hello of this[side].push(buffer.subarray(start, end))) {
      this.emit(hello, this.began[side] ?? time, fromLow);
      this.began[side] = null;
      this.bytes = 0;
    }
  }

  /** No more datagrams will come: hellos that were not finished come out as they are. */
  end(): void {
    for (const side of ['low', 'high'] as const) {
      for (const hello of this[side].end()) this.emit(hello, this.began[side] ?? 0n, side === 'low');
    }
  }

  private emit(hello: DtlsHello, timeNs: bigint, fromLow: boolean): void {
    if (hello.kind === 'server' && !hello.helloRetryRequest && hello.complete) this.answered = true;
    const { kind, raw, complete, segments, records, sslv2, afterRetry, error } = hello;
    const streamOffset = null;
    this.sink(
      { transport: 'dtls', kind, raw, complete, segments, records, streamOffset, sslv2, afterRetry, error, timeNs },
      fromLow,
    );
  }
}
