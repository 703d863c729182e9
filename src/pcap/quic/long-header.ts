/** Long headers of QUIC packets (RFC 9000 section 17.2, RFC 8999). */
import { type QuicVersion, quicVersion } from './versions.js';

/** One packet of a datagram, as far as it can be read without keys. Offsets are into the datagram's buffer. */
export interface LongPacket {
  readonly kind: 'initial' | 'retry' | 'other';
  readonly version: QuicVersion;
  /** Where the packet starts and ends. */
  readonly start: number;
  readonly end: number;
  /** Where the destination connection id stands, from the length byte on; the source's follows it. */
  readonly dcidAt: number;
  readonly scidAt: number;
  /** Where the (protected) packet number starts; meaningless in a Retry. */
  readonly packetNumberAt: number;
}

/** A copy of the connection id whose length byte is at `at`; not from Buffer's pool, which it would keep alive. */
export function copyConnectionId(buffer: Buffer, at: number): Uint8Array {
  return new Uint8Array(buffer.subarray(at + 1, at + 1 + buffer.readUInt8(at)));
}

/** Whether the connection id whose length byte is at `at` is this one. */
export function isConnectionId(buffer: Buffer, at: number, id: Uint8Array): boolean {
  if (buffer[at] !== id.length) return false;
  for (let index = 0; index < id.length; index++) if (buffer[at + 1 + index] !== id[index]) return false;
  return true;
}

/** A cheap look at a datagram's first bytes: can it start with a long header of a version that can be read? */
export function resemblesQuic(buffer: Buffer, start: number, end: number): boolean {
  if (end - start < MIN_LENGTH || buffer.readUInt8(start) < 0x80) return false;
  return buffer.readUInt8(start + 5) <= MAX_CID && quicVersion(buffer.readUInt32BE(start + 1)) !== null;
}

/** Reads the packet that starts at `start` of a datagram that ends at `end`; null where there is none (any more). */
export function readLongPacket(buffer: Buffer, start: number, end: number): LongPacket | null {
  if (!resemblesQuic(buffer, start, end)) return null;
  const first = buffer.readUInt8(start);
  const version = quicVersion(buffer.readUInt32BE(start + 1));
  if (!version) return null;
  const dcidAt = start + 5;
  const scidAt = dcidAt + 1 + buffer.readUInt8(dcidAt);
  if (scidAt >= end || buffer.readUInt8(scidAt) > MAX_CID) return null;
  let at = scidAt + 1 + buffer.readUInt8(scidAt);
  if (at > end) return null;
  const type = (first >> 4) & 3;
  if (type === version.retryType) return { kind: 'retry', version, start, end, dcidAt, scidAt, packetNumberAt: end };
  const isInitial = type === version.initialType;
  if (isInitial) {
    const token = readVarint(buffer, at, end);
    if (!token) return null;
    at = token.next + token.value;
  }
  const length = readVarint(buffer, at, end);
  if (!length || length.next + length.value > end) return null;
  const kind = isInitial ? 'initial' : 'other';
  const { next: packetNumberAt } = length;
  return { kind, version, start, end: packetNumberAt + length.value, dcidAt, scidAt, packetNumberAt };
}

/** A variable-length integer (RFC 9000 section 16); null where it is cut off. */
export function readVarint(buffer: Buffer, at: number, end: number): { value: number; next: number } | null {
  if (at >= end) return null;
  const first = buffer[at] ?? 0;
  const length = 1 << (first >> 6);
  if (end - at < length) return null;
  let value = first & 0x3f;
  // Up to 2^62: what does not fit a double exactly is beyond any datagram anyway.
  for (let index = 1; index < length; index++) value = value * 256 + (buffer[at + index] ?? 0);
  return { value, next: at + length };
}

/** Flags, version, two empty connection ids and a length. */
const MIN_LENGTH = 8;
/** RFC 9000 section 17.2. */
const MAX_CID = 20;
