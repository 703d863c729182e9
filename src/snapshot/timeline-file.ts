import { closeSync, openSync, readSync, renameSync, rmSync } from 'node:fs';
import type { TextPart } from '../text-parts.js';
import { type DeflatedBytes, inflateFile } from './deflated-bytes.js';
import type { StagedMember } from './members.js';
import { RowFile } from './row-file.js';
import type { Handshake } from './schema/handshake.js';

/** A line of the timeline before it has its number. */
export type HandshakeRow = Omit<Handshake, 'seq'>;

/**
 * `handshakes.ndjson` while it is staged. Rows are appended as they arrive, numbered in that order; only where one came
 * out of time order is the file rewritten once at the end. Kept in memory for that: 24 bytes a row, never the row.
 */
export class TimelineFile {
  #file: RowFile;
  readonly #path: string;
  readonly #deflated: DeflatedBytes | null;
  #rows = 0;
  #sorted = true;
  #seconds = new Float64Array(INITIAL_ROWS);
  #nanos = new Uint32Array(INITIAL_ROWS);
  #offsets = new Float64Array(INITIAL_ROWS);
  #lengths = new Uint32Array(INITIAL_ROWS);

  /** @param deflated where lines are deflated as they come, which pays where they are nearly sure to come in order */
  constructor(path: string, deflated: DeflatedBytes | null = null) {
    this.#path = path;
    this.#deflated = deflated;
    this.#file = deflated ? new RowFile(path, deflated) : new RowFile(path);
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
    this.addFields(Number(timeNs / BILLION), Number(timeNs % BILLION), [json.slice(1)]);
  }

  /** The same in parts: an object's fields, from behind its opening brace to its closing one. The time is in two numbers. */
  addFields(seconds: number, nanos: number, fields: readonly TextPart[]): void {
    const row = this.#rows;
    if (row === this.#seconds.length) this.#grow();
    if (row > 0 && this.#sorted) {
      const last = this.#seconds[row - 1] ?? 0;
      this.#sorted = last < seconds || (last === seconds && (this.#nanos[row - 1] ?? 0) <= nanos);
    }
    this.#seconds[row] = seconds;
    this.#nanos[row] = nanos;
    this.#offsets[row] = this.#file.size;
    this.#lengths[row] = this.#file.addParts(`{"seq":${row},`, fields);
    this.#rows = row + 1;
  }

  /** Brings the lines into time order (equal times in order of arrival), and closes. */
  async finish(): Promise<StagedMember> {
    const member = this.#file.finish();
    const deflated = await this.#deflated?.finish();
    if (this.#sorted) return deflated ? { ...member, deflated } : member;
    const unsorted = deflated ? `${this.#path}.unsorted` : this.#path;
    if (deflated) await inflateFile(deflated.path, unsorted);
    return this.#sort(unsorted);
  }

  #sort(unsorted: string): StagedMember {
    const sorted = `${this.#path}.sorted`;
    const source = openSync(unsorted, 'r');
    let result;
    try {
      this.#file = new RowFile(sorted);
      this.#rewrite(source);
      result = this.#file.finish();
    } finally {
      closeSync(source);
    }
    rmSync(unsorted);
    renameSync(sorted, this.#path);
    return result;
  }

  close(): void {
    this.#file.close();
  }

  #rewrite(source: number): void {
    const order = this.#order();
    const lines = new BlockReader(source);
    order.forEach((row, seq) => {
      const line = lines.at(this.#offsets[row] ?? 0, this.#lengths[row] ?? 0);
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

/**
 * Reads lines in another order than that of the file, through the blocks that were used last. Rows come nearly in order, or in
 * several runs that are each in order (hellos whose owner showed at once, and those whose owner never did): a block serves
 * many lines either way.
 */
class BlockReader {
  readonly #fd: number;
  /** By number; the one used last is the last. */
  readonly #blocks = new Map<number, Buffer>();

  constructor(fd: number) {
    this.#fd = fd;
  }

  /** The bytes, until the next call. */
  at(offset: number, length: number): Buffer {
    const first = Math.floor(offset / BLOCK_BYTES);
    const start = offset - first * BLOCK_BYTES;
    if (start + length <= BLOCK_BYTES) return this.#block(first).subarray(start, start + length);
    const line = Buffer.allocUnsafe(length);
    let copied = this.#block(first).copy(line, 0, start);
    for (let number = first + 1; copied < length; number++) copied += this.#block(number).copy(line, copied);
    return line;
  }

  #block(number: number): Buffer {
    let block = this.#blocks.get(number);
    this.#blocks.delete(number);
    block ??= this.#read(number);
    this.#blocks.set(number, block);
    return block;
  }

  #read(number: number): Buffer {
    const [oldest] = this.#blocks.size < MAX_BLOCKS ? [] : this.#blocks;
    if (oldest) this.#blocks.delete(oldest[0]);
    const block = oldest?.[1] ?? Buffer.allocUnsafeSlow(BLOCK_BYTES);
    let filled = 0;
    while (filled < BLOCK_BYTES) {
      const read = readSync(this.#fd, block, filled, BLOCK_BYTES - filled, number * BLOCK_BYTES + filled);
      if (read === 0) break;
      filled += read;
    }
    return block;
  }
}

const BLOCK_BYTES = 256 * 1024;
const MAX_BLOCKS = 32;
const BILLION = 1_000_000_000n;
const INITIAL_ROWS = 4096;
const COMMA = 0x2c;
