import { DtlsFinder, type DtlsHello } from '../../tls/dtls.js';
import type { CapturedHello } from '../hello/captured-hello.js';

/** The DTLS associations between two addresses and ports, one after another: the datagrams of both directions become hellos. */
export class DtlsFlow {
  /** Never: another association may begin (RFC 6347, section 4.2.8). */
  readonly done = false;
  private readonly sink: (hello: CapturedHello, fromLow: boolean) => void;
  private readonly low = new DtlsFinder();
  private readonly high = new DtlsFinder();
  private answered = false;

  constructor(sink: (hello: CapturedHello, fromLow: boolean) => void) {
    this.sink = sink;
  }

  /** True once the server's hello is seen, or nothing more will be found of this association. */
  get idle(): boolean {
    return !this.unfinished && (this.answered || (this.low.done && this.high.done));
  }

  get unfinished(): boolean {
    return this.heldBytes > 0;
  }

  /** Bytes kept for hellos that are not whole yet. */
  get heldBytes(): number {
    return this.low.heldBytes + this.high.heldBytes;
  }

  /** Takes the datagram in buffer[start, end). */
  datagram(fromLow: boolean, buffer: Buffer, start: number, end: number, timeNs: () => bigint): void {
    const [finder, other] = fromLow ? [this.low, this.high] : [this.high, this.low];
    const { clientRestarts } = finder;
    const found = finder.push(buffer.subarray(start, end), timeNs());
    if (finder.clientRestarts > clientRestarts) {
      this.answered = false;
      for (const hello of other.restart()) this.emit(hello, !fromLow);
    }
    for (const hello of found) this.emit(hello, fromLow);
  }

  /** No more datagrams will come: hellos that were not finished come out as they are. */
  end(): void {
    for (const hello of this.low.end()) this.emit(hello, true);
    for (const hello of this.high.end()) this.emit(hello, false);
  }

  private emit(hello: DtlsHello, fromLow: boolean): void {
    if (hello.kind === 'server' && !hello.helloRetryRequest && hello.complete) this.answered = true;
    const { kind, raw, complete, segments, records, sslv2, afterRetry, error, timeNs } = hello;
    const streamOffset = null;
    this.sink(
      { transport: 'dtls', kind, raw, complete, segments, records, streamOffset, sslv2, afterRetry, error, timeNs },
      fromLow,
    );
  }
}
