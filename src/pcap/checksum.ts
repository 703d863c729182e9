/** The Internet checksum (RFC 1071) over one or more pieces, each of even length but the last. */
export function internetChecksum(...pieces: readonly Uint8Array[]): number {
  let sum = 0;
  for (const piece of pieces) {
    const even = piece.length & ~1;
    for (let at = 0; at < even; at += 2) sum += ((piece[at] ?? 0) << 8) | (piece[at + 1] ?? 0);
    if (even < piece.length) sum += (piece[even] ?? 0) << 8;
  }
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x10000);
  return ~sum & 0xffff;
}

/** What TCP and UDP checksums cover beside the segment (RFC 9293 section 3.1, RFC 8200 section 8.1). */
export function pseudoHeader(
  source: Uint8Array,
  destination: Uint8Array,
  protocol: number,
  length: number,
): Uint8Array {
  const tail = Buffer.alloc(8);
  tail.writeUInt32BE(length, 0);
  tail.writeUInt8(protocol, 7);
  return Buffer.concat([source, destination, tail]);
}
