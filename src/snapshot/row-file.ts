import { createHash, type Hash } from 'node:crypto';
import { fitted } from '../byte-budget.js';
import { TlsnapError } from '../errors.js';
import { mostBytes, type TextPart, writeParts } from '../text-parts.js';
import { MAX_LINE_BYTES } from './bounds.js';
import type { StagedMember } from './members.js';
import { PlainBytes, type StagedBytes } from './staged-bytes.js';

/**
 * An NDJSON member while it is staged: appended through a buffer, hashed and counted as it is written.
 * Synchronous on purpose: a line is buffered without a promise, and a full disk is an exception at the line it hits.
 */
export class RowFile {
  readonly #bytes: StagedBytes;
  readonly #mostBytes: number;
  #rows = 0;
  #size = 0;
  readonly #hash: Hash = createHash('sha256');
  readonly #buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES);
  #used = 0;

  /** Rows with lists that were cut, so that each has no more bytes than a line may have. */
  shortened = 0;
  /** Rows that had too many even so. */
  leftOut = 0;

  /**
   * @param bytes without them a file is created at `path`, which must not exist
   * @param mostBytes what a line may have at most, its end included
   */
  constructor(path: string, bytes: StagedBytes = new PlainBytes(path), mostBytes = MAX_LINE_BYTES) {
    this.#bytes = bytes;
    this.#mostBytes = mostBytes;
  }

  get rows(): number {
    return this.#rows;
  }

  /** Bytes appended so far, which is where the next line starts. */
  get size(): number {
    return this.#size;
  }

  /** Appends one row, shortened where it is too long for a line (`fitted`), or counts it as left out. */
  add(row: object): void {
    const fit = fitted(row, this.#mostBytes - 1);
    if (!fit) {
      this.leftOut++;
      return;
    }
    if (fit.cut.length > 0) this.shortened++;
    this.addJson(fit.json);
  }

  /** Appends a row that is JSON text already, in one line; returns its length in bytes with the newline. */
  addJson(json: string): number {
    return this.addParts(json, NOTHING_MORE);
  }

  /** The same for text in parts, `head` and then `rest`: what many rows have alike is UTF-8 already, and is copied. */
  addParts(head: string, rest: readonly TextPart[]): number {
    // With the line's end.
    const most = head.length * 3 + mostBytes(rest) + 1;
    if (most > BUFFER_BYTES - this.#used) this.#flush();
    const length = most > BUFFER_BYTES ? this.#addLong(head, rest) : this.#fill(head, rest);
    this.#rows += 1;
    this.#size += length;
    return length;
  }

  /** Writes the rest and closes. */
  finish(): StagedMember {
    this.#flush();
    this.#bytes.end();
    return { size: this.#size, sha256: this.#hash.digest('hex') };
  }

  /** Closes without writing what is buffered. May be called twice. */
  close(): void {
    this.#bytes.close();
  }

  #fill(head: string, rest: readonly TextPart[]): number {
    const start = this.#used;
    const end = writeParts(this.#buffer, start + this.#buffer.write(head, start), rest);
    this.#buffer[end] = NEWLINE;
    this.#used = end + 1;
    return this.#used - start;
  }

  #addLong(head: string, rest: readonly TextPart[]): number {
    const parts = [head, ...rest, '\n'];
    const line = Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : part)));
    if (line.length > this.#mostBytes) throw tooLong(this.#bytes.path, this.#rows, line.length, this.#mostBytes);
    this.#write(line);
    return line.length;
  }

  #flush(): void {
    if (this.#used === 0) return;
    this.#write(this.#buffer.subarray(0, this.#used));
    this.#used = 0;
  }

  #write(bytes: Uint8Array): void {
    this.#hash.update(bytes);
    this.#bytes.write(bytes);
  }
}

function tooLong(path: string, row: number, length: number, most: number): TlsnapError {
  return new TlsnapError('io', `${path} line ${row + 1}`, `${length} bytes are more than a line may have (${most})`);
}

// Small enough that what is filled is hashed, summed and deflated from the processor's cache.
const BUFFER_BYTES = 128 * 1024;
const NEWLINE = 0x0a;
const NOTHING_MORE: readonly TextPart[] = [];
