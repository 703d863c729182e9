import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';

export interface BoundedBytes {
  bytes: Buffer;
  /** There was more than the bound allowed. */
  truncated: boolean;
}

/**
 * Reads a file of /proc or /sys, at most `limit` bytes of it; they report a size of 0, and some have no end.
 * Opens without blocking: a FIFO put in the place of a file does not hang its reader.
 *
 * @throws what Node's fs throws (ENOENT, ESRCH, EACCES, ...)
 */
export function readBounded(path: string, limit: number): BoundedBytes {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  try {
    return readAll(fd, limit);
  } finally {
    closeSync(fd);
  }
}

/** As `readBounded`, for a file outside of /proc: refuses what is not a regular file (ENOTSUP). */
export function readRegular(path: string, limit: number): BoundedBytes {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  try {
    if (!fstatSync(fd).isFile()) {
      throw Object.assign(new Error(`${path}: not a regular file`), { code: 'ENOTSUP' });
    }
    return readAll(fd, limit);
  } finally {
    closeSync(fd);
  }
}

function readAll(fd: number, limit: number): BoundedBytes {
  // Nearly every file of /proc fits the first buffer: one read, and one that says it is the end.
  const chunks: Buffer[] = [];
  let total = 0;
  let size = Math.min(FIRST_READ, limit + 1);
  while (total <= limit) {
    const chunk = Buffer.allocUnsafe(Math.min(size, limit + 1 - total));
    const count = readSync(fd, chunk, 0, chunk.length, null);
    if (count === 0) break;
    chunks.push(chunk.subarray(0, count));
    total += count;
    size = NEXT_READ;
  }
  const bytes = chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks);
  return total > limit ? { bytes: bytes.subarray(0, limit), truncated: true } : { bytes, truncated: false };
}

const FIRST_READ = 4096;
const NEXT_READ = 65536;
