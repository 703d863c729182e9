import type { CapturedHello } from '../hello/captured-hello.js';

/** A cheap look at a datagram: does it start with an unencrypted DTLS handshake record (RFC 9147 section 4)? */
export function resemblesDtlsHandshake(buffer: Buffer, start: number, end: number): boolean {
  if (end - start < MIN_LENGTH || buffer.readUInt8(start) !== HANDSHAKE) return false;
  if (!VERSIONS.has(buffer.readUInt16BE(start + 1))) return false;
  // Epoch 0: what is protected comes later.
  return buffer.readUInt16BE(start + 3) === 0;
}

export class DtlsFlow {
  readonly done = true;
  readonly heldBytes = 0;
  constructor(sink: (hello: CapturedHello, fromLow: boolean) => void) {
    void sink;
  }
  datagram(fromLow: boolean, buffer: Buffer, start: number, end: number, timeNs: () => bigint): void {
    void [fromLow, buffer, start, end, timeNs];
  }
  end(): void {
    return;
  }
}

const HANDSHAKE = 22;
/** DTLS 1.0, 1.2 (which 1.3 writes too), 1.3, and OpenSSL's version before the standard. */
const VERSIONS = new Set([0xfeff, 0xfefd, 0xfefc, 0x0100]);
/** Record header and handshake header. */
const MIN_LENGTH = 13 + 12;
