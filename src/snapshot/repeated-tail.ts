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
  /** A canonical tail, as short as there is one. */
  readonly shortest: string;
}

/**
 * Reads lines of which only the part before the tail is new. Such a line is its head and a tail that was seen before, and both were
 * taken by the expression, the head with the shortest tail behind it: at the marker an expression of the schema is always in
 * the same place, so it takes the two together. Known tails are compared as bytes and never made text again.
 */
export class TailMemory<Made = undefined> {
  readonly #expression: RegExp;
  readonly #tail: RepeatedTail;
  readonly #placesBefore: number;
  readonly #make: (places: Places) => Made;
  readonly #tails = new Map<number, KnownTail<Made>[]>();
  #size = 0;

  /**
   * @param placesBefore how many of the expression's groups are in front of the tail
   * @param make makes something of the places in the tail, to be made once for each
   */
  constructor(expression: RegExp, tail: RepeatedTail, placesBefore: number, make: (places: Places) => Made) {
    this.#expression = expression;
    this.#tail = tail;
    this.#placesBefore = placesBefore;
    this.#make = make;
  }

  /** What the expression finds in the line bytes[start, end), which is `encoding`. */
  places(bytes: Buffer, start: number, end: number, encoding: 'latin1' | 'utf8'): Places | undefined {
    return this.read(bytes, start, end, encoding)?.places;
  }

  /** The same, and what was made of the tail. */
  read(bytes: Buffer, start: number, end: number, encoding: 'latin1' | 'utf8'): ReadLine<Made> | undefined {
    const known = this.#known(bytes, start, end);
    if (!known) return this.#first(bytes, start, end, encoding);
    const head = bytes.toString(encoding, start, end - known.bytes.length);
    const places: (string | undefined)[] | null = this.#expression.exec(head + this.#tail.shortest);
    if (!places) return undefined;
    for (let at = 1 + this.#placesBefore; at < places.length; at++) places[at] = known.places[at];
    return { places, made: known.made };
  }

  #known(bytes: Buffer, start: number, end: number): KnownTail<Made> | undefined {
    if (end - start < this.#tail.shortest.length) return undefined;
    const tails = this.#tails.get(keyOf(bytes, end));
    if (!tails) return undefined;
    for (const tail of tails) {
      const { length } = tail.bytes;
      if (length < end - start && bytes.compare(tail.bytes, 0, length, end - length, end) === 0) return tail;
    }
    return undefined;
  }

  #first(bytes: Buffer, start: number, end: number, encoding: 'latin1' | 'utf8'): ReadLine<Made> | undefined {
    const places = this.#expression.exec(bytes.toString(encoding, start, end));
    if (!places) return undefined;
    const made = this.#make(places);
    const marker = end - start > MAX_LINE ? -1 : bytes.subarray(start, end).indexOf(this.#tail.marker);
    if (marker !== -1) {
      this.#remember({ bytes: Buffer.from(bytes.subarray(start + marker, end)), places, made }, keyOf(bytes, end));
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

/** A line, and what was made of its tail. */
export interface ReadLine<Made> {
  readonly places: Places;
  readonly made: Made;
}

interface KnownTail<Made> extends ReadLine<Made> {
  readonly bytes: Buffer;
}

/** A number of some bytes near the end of a line that is not shorter than the shortest tail. */
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
