import { MAX_LINE_BYTES } from './bounds.js';

/** Cuts a text that comes in pieces at its line ends. Holds at most one line that is not whole yet. */
export class WholeLines {
  readonly #onFault: (problem: string) => void;
  #rest: Buffer[] = [];
  #restBytes = 0;

  /** @param onFault told of a line that is too long or has no end, when all before it were given; may throw */
  constructor(onFault: (problem: string) => void) {
    this.#onFault = onFault;
  }

  /** Gives the lines that end within `bytes`, back to back, each with its end; nearly all are borrowed from it. */
  *push(bytes: Buffer): Generator<Buffer, void> {
    const end = bytes.lastIndexOf(NEWLINE) + 1;
    let start = 0;
    if (end > 0 && this.#restBytes > 0) {
      // Only the line that began earlier is put together; the others are read where they are.
      start = bytes.indexOf(NEWLINE) + 1;
      yield Buffer.concat([...this.#rest, bytes.subarray(0, start)]);
      this.#rest = [];
      this.#restBytes = 0;
    }
    if (end > start) yield bytes.subarray(start, end);
    if (end < bytes.length) this.#keep(bytes.subarray(end));
  }

  /** The text has ended: what is left over is a line without its end. */
  finish(): void {
    if (this.#restBytes > 0) this.#onFault('the last line has no end');
  }

  #keep(bytes: Buffer): void {
    this.#restBytes += bytes.length;
    if (this.#restBytes > MAX_LINE_BYTES) {
      this.#onFault(`more than ${MAX_LINE_BYTES} bytes`);
      // Whoever goes on despite the fault gets the rest of the line as a broken one, within the bound.
      this.#rest = [];
      this.#restBytes = 0;
    }
    this.#rest.push(Buffer.from(bytes));
  }
}

const NEWLINE = 0x0a;
