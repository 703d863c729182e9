/** Changes inputs the way formats made of lengths and lists are best shaken: bits, numbers, pieces moved, two inputs joined. */
export class Mutator {
  #state: number;

  /** `seed` makes a run repeatable. */
  constructor(seed: number) {
    this.#state = seed | 1;
  }

  mutate(corpus: readonly Uint8Array[], maxLength: number): Uint8Array {
    let input: Uint8Array = this.#pick(corpus).slice();
    const changes = 1 << this.#below(4);
    for (let turn = 0; turn < changes; turn++) input = this.#change(input, corpus);
    return input.length > maxLength ? input.subarray(0, maxLength) : input;
  }

  #change(input: Uint8Array, corpus: readonly Uint8Array[]): Uint8Array {
    const at = this.#below(input.length + 1);
    switch (this.#below(9)) {
      case 0:
        return flip(input, at, 1 << this.#below(8));
      case 1:
        return flip(input, at, this.#below(256));
      case 2:
        return replace(input, at, at + 1, Uint8Array.of(BYTES[this.#below(BYTES.length)] ?? 0));
      case 3: {
        const number = NUMBERS[this.#below(NUMBERS.length)] ?? 0;
        return replace(input, at, at + 2, Uint8Array.of(number >> 8, number & 0xff));
      }
      case 4:
        return this.#addToNumber(input, at);
      case 5:
        return replace(input, at, at + this.#length(input.length - at), NOTHING);
      case 6: {
        const from = this.#below(input.length + 1);
        return replace(input, at, at, input.subarray(from, from + this.#length(input.length - from)));
      }
      case 7: {
        const other = this.#pick(corpus);
        const from = this.#below(other.length + 1);
        const piece = other.subarray(from, from + this.#length(other.length - from));
        return replace(input, at, at + (this.#below(2) === 0 ? piece.length : 0), piece);
      }
      default:
        return input.subarray(0, at);
    }
  }

  /** A length that is a little wrong. */
  #addToNumber(input: Uint8Array, at: number): Uint8Array {
    const delta = this.#below(33) - 16;
    const number = ((input[at] ?? 0) * 256 + (input[at + 1] ?? 0) + delta) & 0xffff;
    return at + 2 > input.length ? input : replace(input, at, at + 2, Uint8Array.of(number >> 8, number & 0xff));
  }

  /** Mostly short, sometimes all that is left. */
  #length(left: number): number {
    return this.#below(1 + (this.#below(4) === 0 ? left : Math.min(left, 16)));
  }

  #pick(corpus: readonly Uint8Array[]): Uint8Array {
    return corpus[this.#below(corpus.length)] ?? NOTHING;
  }

  /** Xorshift32: from 0 up to, not including, `limit`; 0 where `limit` is 0. */
  #below(limit: number): number {
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x;
    return limit === 0 ? 0 : (x >>> 0) % limit;
  }
}

function flip(input: Uint8Array, at: number, mask: number): Uint8Array {
  if (at < input.length) input[at] = (input[at] ?? 0) ^ mask;
  return input;
}

function replace(input: Uint8Array, from: number, to: number, piece: Uint8Array): Uint8Array {
  const end = Math.min(to, input.length);
  const result = new Uint8Array(from + piece.length + input.length - end);
  result.set(input.subarray(0, from));
  result.set(piece, from);
  result.set(input.subarray(end), from + piece.length);
  return result;
}

const NOTHING = new Uint8Array(0);
const BYTES = [0, 1, 2, 3, 4, 0x0a, 0x10, 0x16, 0x20, 0x7f, 0x80, 0xfe, 0xff];
const NUMBERS = [
  0, 1, 2, 0x0a0a, 0x0100, 0x0301, 0x0303, 0x0304, 0x3fff, 0x4000, 0x4001, 0x7fff, 0x8000, 0xfe0d, 0xfeff, 0xffff,
];
