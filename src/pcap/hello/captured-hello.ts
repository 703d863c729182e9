import type { HelloKind } from '../../tls/handshake.js';
import type { Transport } from '../../tls/ja4.js';

/** A hello found in a capture, before it is described. `raw` may be borrowed: it is valid only during the call. */
export interface CapturedHello {
  readonly kind: HelloKind;
  readonly transport: Transport;
  /** The handshake message as describeHello() takes it. */
  readonly raw: Uint8Array;
  readonly complete: boolean;
  /** Segments or datagrams, and records, that hold bytes of it. QUIC has no records. */
  readonly segments: number;
  readonly records: number;
  /** Null where the capture began in the middle of the connection. */
  readonly streamOffset: number | null;
  readonly sslv2: boolean;
  readonly afterRetry: boolean;
  /** Why it is cut short. */
  readonly error: string | null;
  /** When its first byte was captured, in nanoseconds since 1970 UTC. */
  readonly timeNs: bigint;
}

/** Takes a hello of the flow in `slot` of the flow table; `fromLow`: sent by the end that the table calls the lower. */
export type HelloSink = (hello: CapturedHello, slot: number, fromLow: boolean) => void;
