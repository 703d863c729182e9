import { closeSync, constants, fstatSync, openSync, readdirSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { ioError, TlsnapError } from '../errors.js';
import { FIRST_LINK, HEADER_BYTES, LINK_AT, linkOf, MAGIC, MAX_PAYLOAD, SEGMENT_NAME, segmentName } from './spool.js';

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
      if ((error as NodeJS.ErrnoException).code === 'ENOTDIR')
        throw notSpool(directory, 'is a file, not the spool of a capture');
      throw ioError(directory, error);
    }
    if (this.#segments.length === 0) throw notSpool(directory, 'is not the spool of a capture: it holds no segment');
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

function notSpool(path: string, detail: string): TlsnapError {
  return new TlsnapError('input', path, detail, ['Name the folder that a capture left beside its output: NAME.spool.']);
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

function readAll(fd: number, into: Buffer, position: number): number {
  let read = 0;
  while (read < into.length) {
    const count = readSync(fd, into, read, into.length - read, position + read);
    if (count === 0) break;
    read += count;
  }
  return read;
}

// Windows has neither of the two.
const { O_NOFOLLOW = 0, O_NONBLOCK = 0 } = constants as Partial<typeof constants>;
const OPEN_REGULAR = O_NOFOLLOW | O_NONBLOCK;
