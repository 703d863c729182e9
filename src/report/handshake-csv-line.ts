import { canonicalLines, placesOf } from '../snapshot/canonical-line.js';
import { HANDSHAKE_TAIL } from '../snapshot/handshake-excerpt.js';
import type { Excerpt } from '../snapshot/row-parser.js';
import { Handshake } from '../snapshot/schema/handshake.js';
import { csvText } from '../csv.js';
import { HANDSHAKE_COLUMNS } from './tables/handshakes.js';

/**
 * A line of the timeline as its line of CSV without hits, sooner than by way of the row: what is written in JSON without
 * an escaped character is, number, list or text, what the cell holds. Gives nothing of lines that tlsnap would not write so.
 */
export function handshakeCsvLine(): Excerpt<string> {
  const wanted = new Set(HANDSHAKE_COLUMNS.map(({ place }) => place));
  const places = placesOf(Handshake).filter((place) => wanted.has(place));
  const lines = canonicalLines(Handshake, places, HANDSHAKE_TAIL);
  // Texts follow the line itself. Hits have no place: their cell is empty, as what lies beyond the last text.
  const order = HANDSHAKE_COLUMNS.map(({ place }) => 1 + (place === undefined ? places.length : places.indexOf(place)));
  return (bytes, start, end, encoding) => {
    const texts = lines.places(bytes, start, end, encoding);
    return texts && csvText([order.map((at) => texts[at])]);
  };
}
