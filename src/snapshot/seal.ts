/**
 * The seal: a second, empty gzip member at the very end of the file, whose comment (RFC 1952, FCOMMENT) is the SHA-256 of
 * every byte before it. Gzip and deflate have bits that no reader looks at (a header's OS byte, the padding after a
 * block); the seal makes a change of any of them visible. It is no signature: who tampers on purpose can make a new one,
 * and then meets the signed digests of the content.
 */
export const SEAL_BYTES = 10 + 'tlsnap-seal:sha256:'.length + 64 + 1 + 10;

/** The seal over bytes with this SHA-256, in lowercase hex. */
export function seal(sha256: string): Buffer {
  return Buffer.concat([HEADER, Buffer.from(`${LABEL}${sha256}\0`, 'latin1'), EMPTY_DEFLATE, Buffer.alloc(8)]);
}

/** Whether these last bytes of a file look like a seal, even a damaged one. */
export function resemblesSeal(tail: Buffer): boolean {
  return tail.includes(LABEL, 0, 'latin1');
}

const LABEL = 'tlsnap-seal:sha256:';
// Magic, deflate, FCOMMENT, no time, no extra flags, unknown system.
const HEADER = Buffer.from([0x1f, 0x8b, 8, 0x10, 0, 0, 0, 0, 0, 0xff]);
// One final block of fixed codes that ends at once; then CRC-32 and size, both 0.
const EMPTY_DEFLATE = Buffer.from([3, 0]);
