import { closeSync, openSync, readSync, renameSync } from 'node:fs';
import type { Handshake } from './schema/handshake.js';
import { RowFile } from './row-file.js';

/** A line of the timeline before it has its number. */
export type HandshakeRow = Omit<Handshake, 'seq'>;

/**
 * `handshakes.ndjson` while it is staged. Rows are appended as they arrive, numbered in that order; only where one came
 * out of time order is the file rewritten once at the end. Kept in memory for that: 24 bytes a row, never the row.
 */
export class TimelineFile {
  #file: RowFile;
  readonly #path: string;
  #rows = 0;
  #sorted = true;
  #seconds = new Float64Array(INITIAL_ROWS);
  #nanos = new Uint32Array(INITIAL_ROWS);
  #offsets = new Float64Array(INITIAL_ROWS);
  #lengths = new Uint32Array(INITIAL_ROWS);

  constructor(path: string) {
    this.#path = path;
    this.#file = new RowFile(path);
  }

  get rows(): number {
    return this.#rows;
  }

  /** Adds a hello seen at `timeNs` (nanoseconds since the epoch, the instant of `row.time`). */
  add(timeNs: bigint, row: HandshakeRow): void {
    this.addJson(timeNs, JSON.stringify(row));
  }

  /** The same for a row that is JSON text already: an object in one line, without `seq`. */
  addJson(timeNs: bigint, json: string): void {
    const row = this.#rows;
    if (row === this.#seconds.length) this.#grow();
    const seconds = Number(timeNs / BILLION);
    const nanos = Number(timeNs % BILLION);
    if (row > 0 && this.#sorted) {
      const last = this.#seconds[row - 1] ?? 0;
      this.#sorted = last < seconds || (last === seconds && (this.#nanos[row - 1] ?? 0) <= nanos);
    }
    this.#seconds[row] = seconds;
    this.#nanos[row] = nanos;
    this.#offsets[row] = this.#file.size;
    this.#lengths[row] = this.#file.addJson(`{"seq":${row},${json.slice(1)}`);
    this.#rows = row + 1;
  }

  /** Brings the lines into time order (equal times in order of arrival), and closes. */
  finish(): { size: number; sha256: string } {
    if (this.#sorted) return this.#file.finish();
    this.#file.finish();
    const sorted = `${this.#path}.sorted`;
    const source = openSync(this.#path, 'r');
    let result;
    try {
      this.#file = new RowFile(sorted);
      this.#rewrite(source);
      result = this.#file.finish();
    } finally {
      closeSync(source);
    }
    renameSync(sorted, this.#path);
    return result;
  }

  close(): void {
    this.#file.close();
  }

  #rewrite(source: number): void {
    const order = this.#order();
    const window = new ReadWindow(source);
    order.forEach((row, seq) => {
      const line = window.at(this.#offsets[row] ?? 0, this.#lengths[row] ?? 0);
      const comma = line.indexOf(COMMA);
      this.#file.addJson(`{"seq":${seq}${line.toString('utf8', comma, line.length - 1)}`);
    });
  }

  #order(): Uint32Array {
    const order = new Uint32Array(this.#rows).map((_, row) => row);
    const [seconds, nanos] = [this.#seconds, this.#nanos];
    return order.sort((a, b) => (seconds[a] ?? 0) - (seconds[b] ?? 0) || (nanos[a] ?? 0) - (nanos[b] ?? 0) || a - b);
  }

  #grow(): void {
    const length = this.#seconds.length * 2;
    const grown = <T extends Float64Array | Uint32Array>(next: T, old: T): T => {
      next.set(old);
      return next;
    };
    this.#seconds = grown(new Float64Array(length), this.#seconds);
    this.#nanos = grown(new Uint32Array(length), this.#nanos);
    this.#offsets = grown(new Float64Array(length), this.#offsets);
    this.#lengths = grown(new Uint32Array(length), this.#lengths);
  }
}

/** Reads lines that are nearly in the order of the file: one large read serves many of them. */
class ReadWindow {
  readonly #fd: number;
  readonly #buffer = Buffer.allocUnsafeSlow(8 * 1024 * 1024);
  #start = 0;
  #end = 0;

  constructor(fd: number) {
    this.#fd = fd;
  }

  at(offset: number, length: number): Buffer {
    if (offset < this.#start || offset + length > this.#end) {
      // Half of the window lies before the line, for the next one that is a little older.
      this.#start = Math.max(0, offset - this.#buffer.length / 2);
      let filled = 0;
      while (this.#start + filled < offset + length) {
        const read = readSync(this.#fd, this.#buffer, filled, this.#buffer.length - filled, this.#start + filled);
        if (read === 0) break;
        filled += read;
      }
      this.#end = this.#start + filled;
    }
    return this.#buffer.subarray(offset - this.#start, offset - this.#start + length);
  }
}

const BILLION = 1_000_000_000n;
const INITIAL_ROWS = 4096;
const COMMA = 0x2c;
