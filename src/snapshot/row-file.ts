import { createHash, type Hash } from 'node:crypto';
import { TlsnapError } from '../errors.js';
import { MAX_LINE_BYTES } from './bounds.js';
import type { StagedMember } from './members.js';
import { PlainBytes, type StagedBytes } from './staged-bytes.js';

/**
 * An NDJSON member while it is staged: appended through a buffer, hashed and counted as it is written.
 * Synchronous on purpose: a line is buffered without a promise, and a full disk is an exception at the line it hits.
 */
export class RowFile {
  readonly #bytes: StagedBytes;
  #rows = 0;
  #size = 0;
  readonly #hash: Hash = createHash('sha256');
  readonly #buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES);
  #used = 0;

  /** @param bytes without them a file is created at `path`, which must not exist */
  constructor(path: string, bytes: StagedBytes = new PlainBytes(path)) {
    this.#bytes = bytes;
  }

  get rows(): number {
    return this.#rows;
  }

  /** Bytes appended so far, which is where the next line starts. */
  get size(): number {
    return this.#size;
  }

  /** Appends one row; returns its length in bytes with the newline. */
  add(row: object): number {
    return this.addJson(JSON.stringify(row));
  }

  /** Appends a row that is JSON text already, in one line. */
  addJson(json: string): number {
    // A UTF-16 unit becomes at most three bytes.
    if (json.length * 3 + 1 > BUFFER_BYTES - this.#used) this.#flush();
    let length: number;
    if (json.length * 3 + 1 > BUFFER_BYTES) {
      const line = Buffer.from(`${json}\n`);
      length = line.length;
      if (length > MAX_LINE_BYTES) throw tooLong(this.#bytes.path, this.#rows, length);
      this.#write(line);
    } else {
      length = this.#buffer.write(json, this.#used, 'utf8') + 1;
      this.#used += length;
      this.#buffer[this.#used - 1] = NEWLINE;
    }
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

function tooLong(path: string, row: number, length: number): TlsnapError {
  return new TlsnapError(
    'io',
    `${path} line ${row + 1}`,
    `${length} bytes are more than a line may have (${MAX_LINE_BYTES})`,
  );
}

const BUFFER_BYTES = 1024 * 1024;
const NEWLINE = 0x0a;
