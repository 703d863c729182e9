import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';

/**
 * The seal: a second, empty gzip member at the very end of the file, whose comment (RFC 1952, FCOMMENT) is the SHA-256 of
 * every byte before it. Gzip and deflate have bits that no reader looks at (a header's OS byte, the padding after a
 * block); the seal makes a change of any of them visible. It is no signature: who tampers on purpose can make a new one,
 * and then meets the signed digests of the content.
 */
export function seal(sha256: string): Buffer {
  return Buffer.concat([HEADER, Buffer.from(`${LABEL}${sha256}\0`, 'latin1'), EMPTY_DEFLATE, Buffer.alloc(8)]);
}

export interface SealReading {
  /** The last bytes are the seal over all before them. */
  readonly intact: boolean;
  /** There is a seal near the end, though perhaps a damaged one: the file once was a snapshot. */
  readonly present: boolean;
  /** Bytes of the file. */
  readonly size: number;
  /** The end of what the last bytes are over. */
  readonly before: Buffer;
}

/** Reads a whole file and compares its end with the seal it should have. */
export async function readSeal(file: Readable): Promise<SealReading> {
  const hash = createHash('sha256');
  let held = Buffer.alloc(0);
  let before = Buffer.alloc(0);
  let size = 0;
  for await (const chunk of file as AsyncIterable<Buffer>) {
    size += chunk.length;
    const joined = Buffer.concat([held, chunk]);
    const split = Math.max(0, joined.length - SEAL_BYTES);
    hash.update(joined.subarray(0, split));
    const passed = joined.subarray(Math.max(0, split - SEAL_BYTES), split);
    before = Buffer.concat([before, passed]).subarray(-SEAL_BYTES);
    held = Buffer.from(joined.subarray(split));
  }
  // Damage may have moved the seal or broken its label, hence the look at single words in a wider end.
  const end = Buffer.concat([before, held]);
  const present = end.includes('tlsnap-', 0, 'latin1') || end.includes('seal:sha256', 0, 'latin1');
  return { intact: held.equals(seal(hash.digest('hex'))), present, size, before };
}

const LABEL = 'tlsnap-seal:sha256:';
// Magic, deflate, FCOMMENT, no time, no extra flags, unknown system.
const HEADER = Buffer.from([0x1f, 0x8b, 8, 0x10, 0, 0, 0, 0, 0, 0xff]);
// One final block of fixed codes that ends at once; then CRC-32 and size, both 0.
const EMPTY_DEFLATE = Buffer.from([3, 0]);
export const SEAL_BYTES = HEADER.length + LABEL.length + 64 + 1 + EMPTY_DEFLATE.length + 8;
