import { isAscii } from 'node:buffer';

/** What is wrong with a feed's JSON, and where. */
export class JsonFault extends Error {
  readonly line: number;
  /** The start of the place that is meant. */
  readonly text: string;

  constructor(line: number, text: string, message: string) {
    super(message);
    this.line = line;
    this.text = text;
  }
}

/**
 * Walks JSON text without loading it whole: one element is parsed at a time, its line is known, and a broken one costs
 * only itself. `JSON.parse` does the parsing; this finds where values start and end.
 *
 * A caller steps into an array with `elements()` and into an object with `members()`, and takes a value with `value()`,
 * or leaves it, and it is skipped. After a fault inside an element, reading goes on at the next line that starts as
 * the broken one did (same indentation, same bracket).
 */
export class JsonCursor {
  readonly #bytes: Buffer;
  /** Decoding Latin-1 is some times faster than UTF-8, and the same for ASCII. */
  readonly #encoding: 'latin1' | 'utf8';
  #at = 0;
  #line = 1;
  #resynced = false;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
    this.#encoding = isAscii(bytes) ? 'latin1' : 'utf8';
  }

  /** 1-based line of the value that comes next. */
  get line(): number {
    this.#space();
    return this.#line;
  }

  /** What the next value is; `end` after the last one. */
  kind(): 'array' | 'object' | 'scalar' | 'end' {
    this.#space();
    const byte = this.#bytes[this.#at];
    if (byte === undefined) return 'end';
    return byte === OPEN_ARRAY ? 'array' : byte === OPEN_OBJECT ? 'object' : 'scalar';
  }

  /** Stops at each element of the array that comes next; what it gives is the cursor itself. */
  *elements(): Generator<this, void> {
    this.#expect(OPEN_ARRAY, '[');
    for (let first = true; ; first = false) {
      if (!this.#more(first, CLOSE_ARRAY, ']')) return;
      const before = this.#at;
      yield this;
      if (this.#at === before) this.skip();
    }
  }

  /** Stops behind each name of the object that comes next, and gives it. */
  *members(): Generator<string, void> {
    this.#expect(OPEN_OBJECT, '{');
    for (let first = true; ; first = false) {
      if (!this.#more(first, CLOSE_OBJECT, '}')) return;
      const name = this.value();
      if (typeof name !== 'string') throw this.#fault('a member has no name');
      this.#expect(COLON, ':');
      this.#space();
      const before = this.#at;
      yield name;
      if (this.#at === before) this.skip();
    }
  }

  /** Parses the next value. After a JsonFault the cursor stands behind it, or where reading can go on. */
  value(): unknown {
    this.#space();
    const start = this.#at;
    const line = this.#line;
    try {
      this.skip();
    } catch (error) {
      this.#resync(start, line);
      throw new JsonFault(line, this.#excerpt(start), error instanceof JsonFault ? error.message : String(error));
    }
    if (this.#at - start > MAX_VALUE_BYTES) {
      throw new JsonFault(line, this.#excerpt(start), `the entry is larger than ${MAX_VALUE_BYTES} bytes`);
    }
    try {
      return JSON.parse(this.#bytes.toString(this.#encoding, start, this.#at)) as unknown;
    } catch {
      // Its brackets and quotes are in order, so what follows can be trusted.
      throw new JsonFault(line, this.#excerpt(start), 'is not valid JSON');
    }
  }

  /** Moves behind the next value. The one loop that touches every byte of a feed, so it works on locals. */
  skip(): void {
    const bytes = this.#bytes;
    const end = bytes.length;
    let at = this.#at;
    let depth = 0;
    const stop = (reason: string): never => {
      this.#at = at;
      throw this.#fault(reason);
    };
    for (;;) {
      const byte = at < end ? bytes[at] : undefined;
      switch (byte) {
        case undefined:
          stop('the text ends inside an entry');
          break;
        case NEWLINE:
          this.#line++;
          at++;
          continue;
        case SPACE:
        case RETURN:
        case TAB:
          at++;
          continue;
        case QUOTE:
          at = endOfString(bytes, at);
          if (at === -1) {
            at = this.#at;
            stop('a string does not end');
          }
          break;
        case OPEN_ARRAY:
        case OPEN_OBJECT:
          if (++depth > MAX_DEPTH) stop(`nested deeper than ${MAX_DEPTH}`);
          at++;
          continue;
        case CLOSE_ARRAY:
        case CLOSE_OBJECT:
          if (--depth < 0) stop('a value is missing');
          at++;
          break;
        case COMMA:
        case COLON:
          if (depth === 0) stop('a value is missing');
          at++;
          continue;
        default: {
          const start = at;
          while (at < end && SCALAR[bytes[at] ?? 0] === 1) at++;
          if (at === start) stop('a character that JSON does not know');
        }
      }
      if (depth === 0) break;
    }
    this.#at = at;
  }

  #space(): void {
    for (let byte = this.#bytes[this.#at]; ; byte = this.#bytes[++this.#at]) {
      if (byte === NEWLINE) this.#line++;
      else if (byte !== SPACE && byte !== RETURN && byte !== TAB) return;
    }
  }

  #expect(byte: number, shown: string): void {
    this.#space();
    if (this.#bytes[this.#at] !== byte) throw this.#fault(`'${shown}' is missing`);
    this.#at++;
  }

  /** Whether another element comes; takes the comma or the closing bracket. */
  #more(first: boolean, close: number, shown: string): boolean {
    this.#space();
    const resynced = this.#resynced;
    this.#resynced = false;
    if (this.#bytes[this.#at] === close) {
      this.#at++;
      return false;
    }
    if (first || resynced) return true;
    if (this.#bytes[this.#at] !== COMMA) throw this.#fault(`',' or '${shown}' is missing`);
    this.#at++;
    this.#space();
    // A comma before the closing bracket is not JSON, but harms nothing.
    if (this.#bytes[this.#at] !== close) return true;
    this.#at++;
    return false;
  }

  /** After a broken value from `start`: to the next line that begins as its line does. To the end if there is none. */
  #resync(start: number, line: number): void {
    const bytes = this.#bytes;
    const lineStart = bytes.lastIndexOf(NEWLINE, start) + 1;
    const lead = bytes.subarray(lineStart, start + 1);
    const alone = lead.subarray(0, -1).every((byte) => byte === 0x20 || byte === 0x09);
    this.#at = alone ? start : bytes.length;
    this.#line = line;
    while (this.#at < bytes.length) {
      const newline = bytes.indexOf(NEWLINE, this.#at);
      if (newline === -1) {
        this.#at = bytes.length;
        return;
      }
      this.#line++;
      this.#at = newline + 1;
      if (bytes.subarray(this.#at, this.#at + lead.length).equals(lead)) {
        this.#resynced = true;
        return;
      }
    }
  }

  #fault(reason: string): JsonFault {
    return new JsonFault(this.#line, this.#excerpt(this.#at), reason);
  }

  #excerpt(start: number): string {
    return this.#bytes.toString('utf8', start, start + 160).replace(/\s+/g, ' ');
  }
}

/** Behind the string that starts at `at`; -1 where it does not end on its line. */
function endOfString(bytes: Buffer, start: number): number {
  const end = bytes.length;
  for (let at = start + 1; at < end; at++) {
    const byte = bytes[at];
    if (byte === QUOTE) return at + 1;
    if (byte === NEWLINE) return -1;
    if (byte === BACKSLASH) at++;
  }
  return -1;
}

const SPACE = 0x20;
const TAB = 0x09;
const RETURN = 0x0d;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const NEWLINE = 0x0a;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

/** Deep enough for every known feed; JSON.parse would take more. */
const MAX_DEPTH = 64;
/** MISP attributes may carry a file in base64; those are larger, and hold nothing to compare. */
const MAX_VALUE_BYTES = 1024 * 1024;

/** Bytes of numbers, `true`, `false` and `null`; JSON.parse judges them. */
const SCALAR = Uint8Array.from({ length: 256 }, (_, byte) =>
  /[-+.0-9a-zA-Z]/.test(String.fromCharCode(byte)) ? 1 : 0,
);
