import { createHash } from 'node:crypto';
import { rmSync } from 'node:fs';

/**
 * The spool: what a capture learned, in the order in which it learned it, on disk before anything is made of it.
 *
 * A folder of segments `segment-00000000` and so on, each a sequence of frames:
 *   4 bytes  magic "TSNP"
 *   1 byte   kind (FRAME), 3 bytes zero
 *   4 bytes  length of the payload, little-endian
 *   32 bytes link: SHA-256 of the previous frame's link (zeros before the first), the 12 bytes above, and the payload
 *   payload
 * A frame's link is its checksum, and binds it to everything before it.
 */
export const FRAME = {
  /** A JSON object (notes.ts). */
  note: 1,
  /** Records as drained from the ring. */
  kernel: 2,
  /** The kernel's map of fingerprints, as dumped at the end. */
  fingerprints: 3,
} as const;

/** Removes a spool that has become a snapshot. */
export function removeSpool(directory: string): void {
  rmSync(directory, { recursive: true, force: true });
}

/** The folder beside the output in which a capture spools. */
export function spoolPath(output: string): string {
  return `${output}${SPOOL_SUFFIX}`;
}

/** The snapshot that was to come of a spool. */
export function snapshotPath(spool: string): string {
  const folder = spool.replace(/\/+$/, '');
  return folder.endsWith(SPOOL_SUFFIX) ? folder.slice(0, -SPOOL_SUFFIX.length) : `${folder}.tlsnap.tar.gz`;
}

/** The link of a frame: of what came before it, its header up to the link, and its payload. */
export function linkOf(previous: Buffer, header: Uint8Array, payload: Uint8Array): Buffer {
  return createHash('sha256').update(previous).update(header).update(payload).digest();
}

export function segmentName(index: number): string {
  return `segment-${String(index).padStart(8, '0')}`;
}

const SPOOL_SUFFIX = '.spool';
export const SEGMENT_NAME = /^segment-\d{8}$/;
export const MAGIC = 'TSNP';
export const LINK_AT = 12;
export const HEADER_BYTES = LINK_AT + 32;
/** A frame's payload; more than one drain or one note ever has. */
export const MAX_PAYLOAD = 64 * 1024 * 1024;
export const FIRST_LINK = Buffer.alloc(32);
