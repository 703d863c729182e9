/**
 * ASCII text put together in place: strings would be joined, flattened and copied again, which took as long as all else of a row.
 * What does not fit is dropped.
 */
export class AsciiText {
  readonly #bytes: Uint8Array;
  #length = 0;

  constructor(capacity: number) {
    this.#bytes = new Uint8Array(capacity);
  }

  /** Begins again. What bytes() gave is overwritten. */
  clear(): this {
    this.#length = 0;
    return this;
  }

  text(text: string): this {
    const at = this.#length;
    for (let index = 0; index < text.length; index++) this.#bytes[at + index] = text.charCodeAt(index);
    this.#length = at + text.length;
    return this;
  }

  /** Text that is bytes already, for what is the same each time: they are copied several times as fast. */
  ready(text: Uint8Array): this {
    const at = this.#length;
    for (let index = 0; index < text.length; index++) this.#bytes[at + index] = text[index] ?? 0;
    this.#length = at + text.length;
    return this;
  }

  /** A whole number that is not negative. */
  number(value: number): this {
    if (value > MOST_DIGITS) return this.text(String(value));
    let count = 1;
    for (let power = 10; power <= value; power *= 10) count++;
    return this.digits(value, count);
  }

  /** The last `count` digits of a whole number of at most 2^31 - 1, zeros in front. */
  digits(value: number, count: number): this {
    let rest = value | 0;
    for (let at = this.#length + count - 1; at >= this.#length; at--) {
      this.#bytes[at] = ZERO + (rest % 10);
      rest = (rest / 10) | 0;
    }
    this.#length += count;
    return this;
  }

  bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }
}

const ZERO = 0x30;
const MOST_DIGITS = 2 ** 31 - 1;
