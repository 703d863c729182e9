import { isAscii, isUtf8 } from 'node:buffer';
import { TlsnapError } from '../errors.js';
import { MAX_LINE_BYTES } from './bounds.js';
import type { RowMember } from './members.js';
import type { Check } from './schema/validators.js';
import { WholeLines } from './whole-lines.js';

/** Something wrong with a line, counted from 1. A fault without a row: the line yields none. */
export type OnLineFault = (line: number, problem: string) => void;

/** For those to whom a fault is the end: throws a TlsnapError that names it. */
export function endingFault(snapshot: string, member: RowMember): OnLineFault {
  return (line, problem) => {
    throw new TlsnapError('input', `${snapshot}, ${member}.ndjson line ${line}`, problem);
  };
}

/**
 * A row, or less of it, from a line without its end, bytes[start, end); undefined where the line must be parsed and checked. What is
 * not ASCII is UTF-8. The bytes are not kept.
 */
export type Excerpt<Row> = (bytes: Buffer, start: number, end: number, encoding: 'latin1' | 'utf8') => Row | undefined;

/** NDJSON in pieces to rows that fit their schema. Holds at most one line that is not whole yet. */
export class RowParser<Row> {
  readonly #check: Check;
  readonly #onFault: OnLineFault;
  readonly #excerpt: Excerpt<Row> | undefined;
  readonly #lines = new WholeLines((problem) => this.#onFault(this.#line + 1, problem));
  #line: number;
  #stopped = false;

  /**
   * `onFault` may throw, which ends the reading, or return, which leaves the line out. `excerpt` is believed: it must
   * take nothing that `check` refuses. `before` is how many lines are in front of the first piece.
   */
  constructor(check: Check, onFault: OnLineFault, excerpt?: Excerpt<Row>, before = 0) {
    this.#check = check;
    this.#onFault = onFault;
    this.#excerpt = excerpt;
    this.#line = before;
  }

  /** Lines seen so far. */
  get lines(): number {
    return this.#line;
  }

  /** No further line is looked at; for an `onFault` that has enough. */
  stop(): void {
    this.#stopped = true;
  }

  /** The rows of the lines that end within `bytes`. `bytes` is not kept. */
  push(bytes: Buffer): Row[] {
    const rows: Row[] = [];
    this.each(bytes, (row) => rows.push(row));
    return rows;
  }

  /** The same, one by one. */
  each(bytes: Buffer, take: (row: Row) => void): void {
    if (this.#stopped) return;
    for (const lines of this.#lines.push(bytes)) this.#parse(lines, take);
  }

  /** The member has ended: what is left over is a line without its end. */
  finish(): void {
    if (!this.#stopped) this.#lines.finish();
  }

  #parse(bytes: Buffer, take: (row: Row) => void): void {
    // Each line is decoded by itself: a short string is made where the collector expects short lives, and one of
    // one-byte characters where possible. Slices of a long string cost twice as much to parse.
    const ascii = isAscii(bytes);
    const valid = ascii || isUtf8(bytes);
    for (let start = 0; start < bytes.length && !this.#stopped;) {
      const end = bytes.indexOf(NEWLINE, start);
      this.#line += 1;
      if (end - start > MAX_LINE_BYTES) this.#onFault(this.#line, `more than ${MAX_LINE_BYTES} bytes`);
      else if (!valid && !isUtf8(bytes.subarray(start, end))) this.#onFault(this.#line, 'not UTF-8');
      else {
        const row = this.#row(bytes, start, end, ascii ? 'latin1' : 'utf8');
        if (row !== undefined) take(row);
      }
      start = end + 1;
    }
  }

  #row(bytes: Buffer, start: number, end: number, encoding: 'latin1' | 'utf8'): Row | undefined {
    const excerpt = this.#excerpt?.(bytes, start, end, encoding);
    if (excerpt !== undefined) return excerpt;
    let value: unknown;
    try {
      value = JSON.parse(bytes.toString(encoding, start, end));
    } catch {
      this.#onFault(this.#line, 'not JSON');
      return undefined;
    }
    const problem = this.#check(value);
    if (problem === undefined) return value as Row;
    this.#onFault(this.#line, problem);
    return undefined;
  }
}

const NEWLINE = 0x0a;
