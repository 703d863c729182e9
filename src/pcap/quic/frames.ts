/** Frames of Initial packets (RFC 9000 section 19); only CRYPTO carries anything here. */
import { readVarint } from './long-header.js';

export interface CryptoFrame {
  /** In the crypto stream of the sender. */
  readonly offset: number;
  readonly bytes: Buffer;
}

/** The CRYPTO frames of a packet, up to the first frame that may not stand in an Initial packet or is cut off. */
export function cryptoFrames(frames: Buffer): CryptoFrame[] {
  const found: CryptoFrame[] = [];
  const end = frames.length;
  let at = 0;
  while (at < end) {
    const type = frames[at++] ?? 0;
    // A client fills its datagram up to 1,200 bytes, a byte each.
    if (type === PADDING || type === PING) continue;
    if (type === ACK || type === ACK_ECN) {
      const next = skipAck(frames, at, type === ACK_ECN);
      if (next === null) break;
      at = next;
      continue;
    }
    // CONNECTION_CLOSE is allowed too, but nothing follows it.
    if (type !== CRYPTO) break;
    const offset = readVarint(frames, at, end);
    const length = offset && readVarint(frames, offset.next, end);
    if (!length || length.next + length.value > end) break;
    found.push({ offset: offset.value, bytes: frames.subarray(length.next, length.next + length.value) });
    at = length.next + length.value;
  }
  return found;
}

function skipAck(frames: Buffer, start: number, ecn: boolean): number | null {
  let at = start;
  let ranges = 0;
  // Largest, delay, range count, first range; then two for each range and three ECN counts.
  for (let index = 0; index < 4 + ranges * 2 + (ecn ? 3 : 0); index++) {
    const field = readVarint(frames, at, frames.length);
    if (!field) return null;
    if (index === 2) ranges = field.value;
    at = field.next;
  }
  return at;
}

const PADDING = 0x00;
const PING = 0x01;
const ACK = 0x02;
const ACK_ECN = 0x03;
const CRYPTO = 0x06;
