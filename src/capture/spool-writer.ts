import { closeSync, fsync, fsyncSync, mkdirSync, openSync, writevSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { ioError, TlsnapError } from '../errors.js';
import { syncFolder } from '../snapshot/output.js';
import { FIRST_LINK, HEADER_BYTES, LINK_AT, linkOf, MAGIC, removeSpool, segmentName } from './spool.js';

/** Appends frames. Not to be used from two threads. */
export class SpoolWriter {
  readonly #directory: string;
  readonly #mostBytes: number;
  #fd: number;
  /** Descriptors that a sync still works on in another thread: they are not closed under it. */
  readonly #syncing = new Map<number, number>();
  readonly #left = new Set<number>();
  #segment = 0;
  #segmentBytes = 0;
  #link: Buffer = FIRST_LINK;
  #records = 0;
  #bytes = 0;

  /** Makes the folder, which must not exist, mode 0700. A segment of `segmentBytes` or more gets no further frame. */
  constructor(directory: string, segmentBytes = SEGMENT_BYTES) {
    this.#directory = directory;
    this.#mostBytes = segmentBytes;
    try {
      mkdirSync(directory, { mode: 0o700 });
    } catch (error) {
      throw spoolError(directory, error);
    }
    try {
      this.#fd = this.#openSegment();
    } catch (error) {
      removeSpool(directory);
      throw spoolError(directory, error);
    }
    try {
      syncFolder(dirname(directory));
    } catch (error) {
      this.close();
      removeSpool(directory);
      throw ioError(directory, error);
    }
  }

  /** The last frame's link, in hexadecimal: it stands for every frame so far. */
  get head(): string {
    return this.#link.toString('hex');
  }

  get records(): number {
    return this.#records;
  }

  get bytes(): number {
    return this.#bytes;
  }

  append(kind: number, payload: Uint8Array): void {
    const header = Buffer.alloc(HEADER_BYTES);
    header.write(MAGIC, 'latin1');
    header.writeUInt8(kind, 4);
    header.writeUInt32LE(payload.length, 8);
    this.#link = linkOf(this.#link, header.subarray(0, LINK_AT), payload);
    this.#link.copy(header, LINK_AT);
    try {
      if (this.#segmentBytes >= this.#mostBytes) this.#rotate();
      writeAll(this.#fd, [header, payload]);
    } catch (error) {
      throw ioError(this.#directory, error);
    }
    this.#records++;
    this.#bytes += header.length + payload.length;
    this.#segmentBytes += header.length + payload.length;
  }

  /** Makes everything so far durable, without holding up the caller. */
  async sync(): Promise<void> {
    const fd = this.#fd;
    this.#syncing.set(fd, (this.#syncing.get(fd) ?? 0) + 1);
    try {
      await promisify(fsync)(fd);
    } catch (error) {
      throw ioError(this.#directory, error);
    } finally {
      this.#synced(fd);
    }
  }

  close(): void {
    try {
      fsyncSync(this.#fd);
      if (this.#syncing.has(this.#fd)) this.#left.add(this.#fd);
      else closeSync(this.#fd);
    } catch (error) {
      throw ioError(this.#directory, error);
    }
  }

  #synced(fd: number): void {
    const others = (this.#syncing.get(fd) ?? 1) - 1;
    if (others > 0) this.#syncing.set(fd, others);
    else this.#syncing.delete(fd);
    if (others === 0 && this.#left.delete(fd)) closeSync(fd);
  }

  #rotate(): void {
    this.close();
    this.#segment++;
    this.#segmentBytes = 0;
    this.#fd = this.#openSegment();
  }

  /** With a name that outlives a power cut, as what is written into it does. */
  #openSegment(): number {
    const fd = openSync(join(this.#directory, segmentName(this.#segment)), 'wx', 0o600);
    syncFolder(this.#directory);
    return fd;
  }
}

function writeAll(fd: number, buffers: Uint8Array[]): void {
  const total = buffers.reduce((sum, { length }) => sum + length, 0);
  let written = writevSync(fd, buffers);
  // A disk that is nearly full takes a part; the rest is tried again, and then fails with the reason.
  while (written < total) {
    let skip = written;
    const rest: Uint8Array[] = [];
    for (const buffer of buffers) {
      if (skip < buffer.length) rest.push(buffer.subarray(skip));
      skip = Math.max(0, skip - buffer.length);
    }
    written += writevSync(fd, rest);
  }
}

function spoolError(directory: string, error: unknown): unknown {
  if ((error as NodeJS.ErrnoException).code !== 'EEXIST') return ioError(directory, error);
  return new TlsnapError('io', directory, 'exists already: another capture runs, or one was killed', [
    `Make a snapshot of what it left with: tlsnap recover ${directory}`,
    'Or name another output.',
  ]);
}

const SEGMENT_BYTES = 64 * 1024 * 1024;
