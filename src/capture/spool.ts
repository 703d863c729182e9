import { createHash } from 'node:crypto';
import {
  closeSync,
  constants,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  fstatSync,
  rmSync,
  writevSync,
  fsync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { ioError, TlsnapError } from '../errors.js';
import { syncFolder } from '../snapshot/output.js';

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

export interface SpoolFrame {
  readonly kind: number;
  readonly payload: Buffer;
}

/** Where and why reading stopped before the end. */
export interface SpoolBreak {
  readonly segment: string;
  /** Bytes from the segment's start to the first that is not part of a whole frame. */
  readonly offset: number;
  readonly reason: string;
  /** Bytes from there to the end of the spool. */
  readonly bytesLost: number;
}

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

/** Reads the frames of a spool in order, and stops at the first that is not whole. */
export class SpoolReader {
  /** Set when reading stopped before the end. */
  broken: SpoolBreak | null = null;
  records = 0;
  bytes = 0;
  #link: Buffer = FIRST_LINK;
  readonly #directory: string;
  readonly #segments: string[];
  #place = { segment: segmentName(0), offset: 0 };

  constructor(directory: string) {
    this.#directory = directory;
    try {
      this.#segments = readdirSync(directory)
        .filter((name) => SEGMENT_NAME.test(name))
        .sort();
    } catch (error) {
      throw ioError(directory, error);
    }
    if (this.#segments.length === 0) {
      throw new TlsnapError('input', directory, 'is not the spool of a capture: it holds no segment', [
        'Name the folder that a capture left beside its output: NAME.spool.',
      ]);
    }
  }

  /** The last whole frame's link, in hexadecimal. */
  get head(): string {
    return this.#link.toString('hex');
  }

  /** Where the frame begins that was handed out last, in words. */
  get place(): string {
    return placeOf(this.#place);
  }

  /** A frame's payload is valid until the next one is taken. */
  *frames(): Generator<SpoolFrame> {
    for (const [index, name] of this.#segments.entries()) {
      if (name !== segmentName(index)) {
        this.#break(index, name, 0, `the segment before it, ${segmentName(index)}, is missing`);
        return;
      }
      const fd = openForReading(join(this.#directory, name));
      try {
        yield* this.#segmentFrames(fd, index, name);
      } finally {
        closeSync(fd);
      }
      if (this.broken) return;
    }
  }

  *#segmentFrames(fd: number, index: number, name: string): Generator<SpoolFrame> {
    const { size } = fstatSync(fd);
    const header = Buffer.alloc(HEADER_BYTES);
    let payload = Buffer.alloc(64 * 1024);
    for (let at = 0; at < size;) {
      if (readAll(fd, header, at) < HEADER_BYTES) return this.#break(index, name, at, 'a frame header is cut off');
      const length = header.readUInt32LE(8);
      if (header.toString('latin1', 0, 4) !== MAGIC) return this.#break(index, name, at, 'no frame begins here');
      if (length > MAX_PAYLOAD) return this.#break(index, name, at, `a frame cannot have ${length} bytes`);
      if (at + HEADER_BYTES + length > size) return this.#break(index, name, at, 'a frame is cut off');
      if (length > payload.length) payload = Buffer.alloc(length);
      const bytes = payload.subarray(0, length);
      readAll(fd, bytes, at + HEADER_BYTES);
      const link = linkOf(this.#link, header.subarray(0, LINK_AT), bytes);
      if (!link.equals(header.subarray(LINK_AT)))
        return this.#break(index, name, at, 'a frame does not match its link');
      this.#link = link;
      this.#place = { segment: name, offset: at };
      this.records++;
      this.bytes += HEADER_BYTES + length;
      at += HEADER_BYTES + length;
      yield { kind: header.readUInt8(4), payload: bytes };
    }
  }

  #break(index: number, segment: string, offset: number, reason: string): void {
    let bytesLost = -offset;
    for (const name of this.#segments.slice(index)) {
      const fd = openForReading(join(this.#directory, name));
      bytesLost += fstatSync(fd).size;
      closeSync(fd);
    }
    this.broken = { segment, offset, reason, bytesLost };
  }
}

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

/** In words, for a person. */
export function placeOf({ segment, offset }: Pick<SpoolBreak, 'segment' | 'offset'>): string {
  return `${segment} offset ${offset}`;
}

/** A FIFO under a segment's name must not hold anybody up, nor may it lead elsewhere. */
function openForReading(path: string): number {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | OPEN_REGULAR);
  } catch (error) {
    throw ioError(path, error);
  }
  if (fstatSync(fd).isFile()) return fd;
  closeSync(fd);
  throw new TlsnapError('input', path, 'is not a regular file, as a segment of a spool is');
}

function linkOf(previous: Buffer, header: Uint8Array, payload: Uint8Array): Buffer {
  return createHash('sha256').update(previous).update(header).update(payload).digest();
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

function readAll(fd: number, into: Buffer, position: number): number {
  let read = 0;
  while (read < into.length) {
    const count = readSync(fd, into, read, into.length - read, position + read);
    if (count === 0) break;
    read += count;
  }
  return read;
}

function spoolError(directory: string, error: unknown): unknown {
  if ((error as NodeJS.ErrnoException).code !== 'EEXIST') return ioError(directory, error);
  return new TlsnapError('io', directory, 'exists already: another capture runs, or one was killed', [
    `Make a snapshot of what it left with: tlsnap recover ${directory}`,
    'Or name another output.',
  ]);
}

function segmentName(index: number): string {
  return `segment-${String(index).padStart(8, '0')}`;
}

// Windows has neither of the two.
const { O_NOFOLLOW = 0, O_NONBLOCK = 0 } = constants as Partial<typeof constants>;
const OPEN_REGULAR = O_NOFOLLOW | O_NONBLOCK;
const SPOOL_SUFFIX = '.spool';
const SEGMENT_NAME = /^segment-\d{8}$/;
const MAGIC = 'TSNP';
const LINK_AT = 12;
const HEADER_BYTES = LINK_AT + 32;
const FIRST_LINK = Buffer.alloc(32);
const SEGMENT_BYTES = 64 * 1024 * 1024;
/** More than one drain or one note ever has. */
const MAX_PAYLOAD = 64 * 1024 * 1024;
