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
  #at = 0;
  #line = 1;
  /**
   * The part of the bytes that is looked at, a character for each: V8 searches and parses text faster than a loop looks
   * at bytes.
   */
  #window = '';
  #windowStart = 0;
  #windowIsAscii = true;
  /** Of the newline that comes next in the window; kept, because a feed without any would be searched for each entry. */
  #newline = -1;
  #resynced = false;
  /** What stood between two elements, from bracket to bracket: where it comes again, the next one most likely ends. */
  #separator = '';
  /** Falls where that was wrong, so that a feed whose entries are uneven is not looked at twice for long. */
  #trust = MAX_TRUST;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
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

  /**
   * Stops at each element of the array that comes next; what it gives is the cursor itself.
   * @param onFault told where only the comma between two objects is missing; without it that is thrown
   */
  *elements(onFault?: (fault: JsonFault) => void): Generator<this, void> {
    this.#expect(OPEN_ARRAY, '[');
    for (let first = true; ; first = false) {
      try {
        if (!this.#more(first, CLOSE_ARRAY, ']')) return;
      } catch (fault) {
        if (!(fault instanceof JsonFault && onFault && this.kind() === 'object')) throw fault;
        onFault(fault);
      }
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
    return this.#untilSeparator() ?? this.#untilEnd();
  }

  /**
   * The next value, where it ends at the separator that is found first: if `JSON.parse` takes what is before it, that is the
   * whole value, as no start of an object or array is one. Undefined where it is not so, and then nothing has moved.
   */
  #untilSeparator(): unknown {
    if (this.#separator === '' || this.#trust <= 0) return undefined;
    this.#moveWindow(WINDOW_BYTES);
    const start = this.#at - this.#windowStart;
    const end = this.#window.indexOf(this.#separator, start) + 1;
    const value = end === 0 ? undefined : parsed(this.#decoded(this.#at, this.#windowStart + end));
    if (value === undefined) {
      this.#trust -= WRONG_COSTS;
      return undefined;
    }
    if (this.#trust < MAX_TRUST) this.#trust++;
    if (this.#newline < start) this.#newline = this.#window.indexOf('\n', start) >>> 0;
    for (; this.#newline < end; this.#newline = this.#window.indexOf('\n', this.#newline + 1) >>> 0) this.#line++;
    this.#at = this.#windowStart + end;
    return value;
  }

  #untilEnd(): unknown {
    this.#separator = '';
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
      return JSON.parse(this.#decoded(start, this.#at)) as unknown;
    } catch {
      // Its brackets and quotes are in order, so what follows can be trusted.
      throw new JsonFault(line, this.#excerpt(start), 'is not valid JSON');
    }
  }

  /** Moves behind the next value. */
  skip(): void {
    const line = this.#line;
    for (let size = WINDOW_BYTES; !this.#skipWithin(size); size *= 2) this.#line = line;
  }

  /**
   * Moves behind the next value, or gives false where it needs more than the next `size` bytes. The one loop that goes
   * through all of a feed, so it works on locals.
   */
  #skipWithin(size: number): boolean {
    this.#moveWindow(size);
    const text = this.#window;
    const end = text.length;
    const isLast = this.#windowStart + end === this.#bytes.length;
    let at = this.#at - this.#windowStart;
    let newline = this.#newline;
    let depth = 0;
    const stop = (reason: string): never => {
      this.#at = this.#windowStart + at;
      throw this.#fault(reason);
    };
    for (;;) {
      if (at >= end) {
        if (!isLast) return false;
        stop('the text ends inside an entry');
      }
      switch (text.charCodeAt(at)) {
        case NEWLINE:
          this.#line++;
          at++;
          // The indentation of the next line: of some feeds half their bytes.
          while (text.charCodeAt(at) === SPACE) at++;
          continue;
        case SPACE:
        case RETURN:
        case TAB:
          at++;
          continue;
        case QUOTE: {
          if (newline < at) this.#newline = newline = text.indexOf('\n', at) >>> 0;
          const behind = endOfString(text, at);
          if (behind > newline || (behind === -1 && (newline < end || isLast))) {
            at = this.#at - this.#windowStart;
            stop('a string does not end');
          }
          if (behind === -1) return false;
          at = behind;
          break;
        }
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
          while (at < end && SCALAR[text.charCodeAt(at)] === 1) at++;
          if (at === start) stop('a character that JSON does not know');
          if (at === end && !isLast) return false;
        }
      }
      if (depth === 0) break;
    }
    this.#at = this.#windowStart + at;
    return true;
  }

  /** Lets the window hold what comes next: some way of it, or if that was not enough, `size` bytes. */
  #moveWindow(size: number): void {
    const end = this.#windowStart + this.#window.length;
    const ahead = end - this.#at;
    const enough = size > WINDOW_BYTES ? size : LEAST_AHEAD_BYTES;
    if (this.#at >= this.#windowStart && (ahead >= enough || end === this.#bytes.length)) return;
    this.#windowStart = this.#at;
    this.#newline = -1;
    const bytes = this.#bytes.subarray(this.#at, this.#at + size);
    this.#windowIsAscii = isAscii(bytes);
    this.#window = bytes.toString('latin1');
  }

  /** The same characters as UTF-8; Latin-1, if they are ASCII, which spares decoding them again. */
  #decoded(start: number, end: number): string {
    if (start < this.#windowStart || !(this.#windowIsAscii || isAscii(this.#bytes.subarray(start, end))))
      return this.#bytes.toString('utf8', start, end);
    return this.#window.slice(start - this.#windowStart, end - this.#windowStart);
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
    const comma = this.#at++;
    this.#space();
    // A comma before the closing bracket is not JSON, but harms nothing.
    if (this.#bytes[this.#at] !== close) {
      if (this.#separator === '') this.#separator = this.#separatorAt(comma);
      return true;
    }
    this.#at++;
    return false;
  }

  /** Empty where there is no object on both sides of the comma, or too much beside it. */
  #separatorAt(comma: number): string {
    const isBetween = this.#bytes[comma - 1] === CLOSE_OBJECT && this.#bytes[this.#at] === OPEN_OBJECT;
    if (!isBetween || this.#at - comma > MAX_SEPARATOR) return '';
    return this.#bytes.toString('latin1', comma - 1, this.#at + 1);
  }

  /** After a broken value from `start`: to the next line that begins as its line does. To the end if there is none. */
  #resync(start: number, line: number): void {
    const bytes = this.#bytes;
    const lineStart = bytes.lastIndexOf(NEWLINE, start) + 1;
    const lead = bytes.subarray(lineStart, start + 1);
    const alone = lead.subarray(0, -1).every((byte) => byte === 0x20 || byte === 0x09);
    this.#at = alone ? start : bytes.length;
    this.#line = line;
    this.#newline = -1;
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

/** Behind the string that starts at `start`; -1 where it does not end. */
function endOfString(text: string, start: number): number {
  for (let quote = text.indexOf('"', start + 1); quote !== -1; quote = text.indexOf('"', quote + 1)) {
    let before = quote - 1;
    while (text.charCodeAt(before) === BACKSLASH) before--;
    // An odd number of backslashes escapes the quote.
    if ((quote - before) % 2 === 1) return quote + 1;
  }
  return -1;
}

/** Undefined where it is not valid JSON, or could be nested too deep. */
function parsed(text: string): unknown {
  if (hasMore(text, '{', '[', MAX_DEPTH)) return undefined;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** Whether two characters occur more than `most` times. */
function hasMore(text: string, one: string, other: string, most: number): boolean {
  let count = 0;
  for (const character of [one, other]) {
    for (let at = text.indexOf(character); at !== -1 && count <= most; at = text.indexOf(character, at + 1)) count++;
  }
  return count > most;
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

/** Right four times in five, the separator is worth looking for. */
const WRONG_COSTS = 4;
const MAX_TRUST = 64;
/** A comma, a line break and the indentation. */
const MAX_SEPARATOR = 256;

/** Most entries have far less than this ahead; a larger one widens the window. */
const LEAST_AHEAD_BYTES = 8 * 1024;
/** Above 128 KiB V8 gives a text memory of its own, new each time, whose pages then cost more than their letters. */
const WINDOW_BYTES = 64 * 1024;

/** Bytes of numbers, `true`, `false` and `null`; JSON.parse judges them. */
const SCALAR = Uint8Array.from({ length: 256 }, (_, byte) =>
  /[-+.0-9a-zA-Z]/.test(String.fromCharCode(byte)) ? 1 : 0,
);
