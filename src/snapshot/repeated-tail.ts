/** A line, then the texts of the wanted places in it, in their order; undefined for one that is null or left out. */
export type Places = readonly (string | undefined)[];

/**
 * Where the lines of a member begin to be the same as those of other rows, byte by byte: in the timeline behind the server name, as
 * clients are few and hellos are many.
 */
export interface RepeatedTail {
  /** What the tail starts with, in ASCII; stands once in a canonical line that has such a tail, and nowhere in text. */
  readonly marker: string;
  /** The first place in it, a JSON pointer. */
  readonly place: string;
}

/**
 * Reads lines of which many end alike: each is a head and a tail. A tail that was seen before is compared as bytes and not read
 * again. The line is valid all the same: its head was taken by the schema's expression up to the marker, and the tail from there, at the end
 * of another line; at the marker the expression is always in the same place, so it would take the two together.
 */
export class TailMemory<Made> {
  readonly #line: RegExp;
  readonly #head: RegExp;
  readonly #marker: string;
  readonly #make: (places: Places) => Made;
  readonly #tails = new Map<number, KnownTail<Made>[]>();
  #size = 0;

  /**
   * @param line takes a whole line
   * @param head takes what is in front of the marker, with the same groups as `line` has there
   * @param make makes something of the places in the tail, to be made once for each
   */
  constructor(line: RegExp, head: RegExp, marker: string, make: (places: Places) => Made) {
    this.#line = line;
    this.#head = head;
    this.#marker = marker;
    this.#make = make;
  }

  /** Reads the line bytes[start, end), which is `encoding`; undefined where the expressions do not take it. */
  read(bytes: Buffer, start: number, end: number, encoding: 'latin1' | 'utf8'): ReadLine<Made> | undefined {
    const known = this.#known(bytes, start, end);
    if (!known) return this.#first(bytes, start, end, encoding);
    const places = this.#head.exec(bytes.toString(encoding, start, end - known.bytes.length));
    return places ? { places, made: known.made } : undefined;
  }

  #known(bytes: Buffer, start: number, end: number): KnownTail<Made> | undefined {
    if (end - start < SAMPLED) return undefined;
    const tails = this.#tails.get(keyOf(bytes, end));
    if (!tails) return undefined;
    for (const tail of tails) {
      const { length } = tail.bytes;
      if (length < end - start && bytes.compare(tail.bytes, 0, length, end - length, end) === 0) return tail;
    }
    return undefined;
  }

  #first(bytes: Buffer, start: number, end: number, encoding: 'latin1' | 'utf8'): ReadLine<Made> | undefined {
    const places = this.#line.exec(bytes.toString(encoding, start, end));
    if (!places) return undefined;
    const made = this.#make(places);
    const marker = end - start > MAX_LINE ? -1 : bytes.subarray(start, end).indexOf(this.#marker);
    if (marker !== -1) {
      this.#remember({ bytes: Buffer.from(bytes.subarray(start + marker, end)), made }, keyOf(bytes, end));
    }
    return { places, made };
  }

  #remember(tail: KnownTail<Made>, key: number): void {
    if (this.#size >= MAX_TAILS) {
      // All of them: the few that matter are back at once.
      this.#tails.clear();
      this.#size = 0;
    }
    const alike = this.#tails.get(key) ?? [];
    if (alike.length >= MAX_ALIKE) alike.shift();
    else this.#size++;
    alike.push(tail);
    this.#tails.set(key, alike);
  }
}

/** The places of a line, at least those in front of its tail, and what was made of the tail. */
export interface ReadLine<Made> {
  readonly places: Places;
  readonly made: Made;
}

interface KnownTail<Made> {
  readonly bytes: Buffer;
  readonly made: Made;
}

/** A number of some bytes near the end of a line that is not shorter than SAMPLED. */
function keyOf(bytes: Buffer, end: number): number {
  let key = 0;
  for (let at = SAMPLE_EVERY; at <= SAMPLED; at += SAMPLE_EVERY) {
    key = Math.imul(key ^ (bytes[end - at] ?? 0), 0x01000193) ^ (bytes[end - at + 3] ?? 0);
  }
  return key;
}

const SAMPLE_EVERY = 13;
const SAMPLED = 169;
const MAX_TAILS = 1024;
const MAX_ALIKE = 16;
/** In bytes: a tail keeps the text in memory of the line that it was first seen in. */
const MAX_LINE = 16 * 1024;
