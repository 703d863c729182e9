/** A line, then the texts of the wanted places in it, in their order; undefined for one that is null or left out. */
export type Places = readonly (string | undefined)[];

/**
 * Where the lines of a member begin to be the same as those of other rows, byte by byte: in the timeline behind the server name, as
 * clients are few and hellos are many.
 */
export interface RepeatedTail {
  /** What the tail starts with; stands once in a canonical line that has such a tail, and nowhere in text. */
  readonly marker: string;
  /** The first place in it, a JSON pointer. */
  readonly place: string;
  /** A canonical tail, as short as there is one. */
  readonly shortest: string;
}

/**
 * Reads lines of which only the part before the tail is new. A line is its head and a tail that was seen before, and both were
 * taken by the expression, the head with the shortest tail behind it: at the marker an expression of the schema is always in
 * the same place, so it takes the two together.
 */
export class TailMemory {
  readonly #expression: RegExp;
  readonly #tail: RepeatedTail;
  readonly #placesBefore: number;
  /** By length, so that a line is compared with few. */
  readonly #tails = new Map<number, { readonly text: string; readonly places: Places }[]>();
  #size = 0;

  /** @param placesBefore how many of the expression's groups are in front of the tail */
  constructor(expression: RegExp, tail: RepeatedTail, placesBefore: number) {
    this.#expression = expression;
    this.#tail = tail;
    this.#placesBefore = placesBefore;
  }

  /** What the expression finds in the line. */
  places(line: string): Places | undefined {
    const { marker, shortest } = this.#tail;
    const start = line.indexOf(marker);
    if (start === -1) return this.#expression.exec(line) ?? undefined;
    const known = this.#tails.get(line.length - start)?.find(({ text }) => line.endsWith(text));
    if (!known) return this.#first(line, start);
    const places: (string | undefined)[] | null = this.#expression.exec(line.slice(0, start) + shortest);
    if (!places) return undefined;
    places[0] = line;
    for (let at = 1 + this.#placesBefore; at < places.length; at++) places[at] = known.places[at];
    return places;
  }

  #first(line: string, start: number): Places | undefined {
    const places = this.#expression.exec(line) ?? undefined;
    if (places && line.length <= MAX_LINE) this.#remember(line.slice(start), places);
    return places;
  }

  #remember(text: string, places: Places): void {
    if (this.#size >= MAX_TAILS) {
      // All of them: the few that matter are back at once.
      this.#tails.clear();
      this.#size = 0;
    }
    const ofLength = this.#tails.get(text.length) ?? [];
    if (ofLength.length >= MAX_OF_LENGTH) ofLength.shift();
    else this.#size++;
    ofLength.push({ text, places });
    this.#tails.set(text.length, ofLength);
  }
}

const MAX_TAILS = 1024;
const MAX_OF_LENGTH = 16;
/** In characters: a tail keeps the line in memory that it was first seen in. */
const MAX_LINE = 16 * 1024;
