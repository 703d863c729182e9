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
export class TailMemory {
  readonly #expression: RegExp;
  readonly #tail: RepeatedTail;
  readonly #placesBefore: number;
  readonly #tails = new Map<number, KnownTail[]>();
  #size = 0;

  /** @param placesBefore how many of the expression's groups are in front of the tail */
  constructor(expression: RegExp, tail: RepeatedTail, placesBefore: number) {
    this.#expression = expression;
    this.#tail = tail;
    this.#placesBefore = placesBefore;
  }

  /** What the expression finds in the line bytes[start, end), which is `encoding`. */
  places(bytes: Buffer, start: number, end: number, encoding: 'latin1' | 'utf8'): Places | undefined {
    const known = this.#known(bytes, start, end);
    if (!known) return this.#first(bytes, start, end, encoding);
    const head = bytes.toString(encoding, start, end - known.bytes.length);
    const places: (string | undefined)[] | null = this.#expression.exec(head + this.#tail.shortest);
    if (!places) return undefined;
    for (let at = 1 + this.#placesBefore; at < places.length; at++) places[at] = known.places[at];
    return places;
  }

  #known(bytes: Buffer, start: number, end: number): KnownTail | undefined {
    if (end - start < this.#tail.shortest.length) return undefined;
    const tails = this.#tails.get(keyOf(bytes, end));
    if (!tails) return undefined;
    for (const tail of tails) {
      const { length } = tail.bytes;
      if (length < end - start && bytes.compare(tail.bytes, 0, length, end - length, end) === 0) return tail;
    }
    return undefined;
  }

  #first(bytes: Buffer, start: number, end: number, encoding: 'latin1' | 'utf8'): Places | undefined {
    const places = this.#expression.exec(bytes.toString(encoding, start, end)) ?? undefined;
    if (!places || end - start > MAX_LINE) return places;
    const marker = bytes.subarray(start, end).indexOf(this.#tail.marker);
    if (marker !== -1) this.#remember(bytes.subarray(start + marker, end), keyOf(bytes, end), places);
    return places;
  }

  #remember(tail: Buffer, key: number, places: Places): void {
    if (this.#size >= MAX_TAILS) {
      // All of them: the few that matter are back at once.
      this.#tails.clear();
      this.#size = 0;
    }
    const alike = this.#tails.get(key) ?? [];
    if (alike.length >= MAX_ALIKE) alike.shift();
    else this.#size++;
    alike.push({ bytes: Buffer.from(tail), places });
    this.#tails.set(key, alike);
  }
}

interface KnownTail {
  readonly bytes: Buffer;
  readonly places: Places;
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
