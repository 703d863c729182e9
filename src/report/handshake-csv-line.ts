import { canonicalLines, placesBefore, placesOf } from '../snapshot/canonical-line.js';
import { HANDSHAKE_TAIL } from '../snapshot/handshake-excerpt.js';
import type { Places } from '../snapshot/repeated-tail.js';
import type { Excerpt } from '../snapshot/row-parser.js';
import { Handshake } from '../snapshot/schema/handshake.js';
import { csvCellText } from '../csv.js';
import type { TextPart } from '../text-parts.js';
import { HANDSHAKE_COLUMNS } from './tables/handshakes.js';

/**
 * A line of the timeline as its line of CSV without hits, sooner than by way of the row: what is written in JSON without
 * an escaped character is, number, list or text, what the cell holds. Cells of the part that many lines have in common are
 * written once for all of them. Gives nothing of lines that tlsnap would not write so.
 */
export function handshakeCsvLine(): Excerpt<readonly TextPart[]> {
  const wanted = new Set(HANDSHAKE_COLUMNS.map(({ place }) => place));
  const places = placesOf(Handshake).filter((place) => wanted.has(place));
  const before = placesBefore(Handshake, places, HANDSHAKE_TAIL);
  const runs = runsOf(
    // Texts follow the line itself. Hits have no place: their cell is empty, as what lies beyond the last text.
    HANDSHAKE_COLUMNS.map(({ place }) => 1 + (place === undefined ? places.length : places.indexOf(place))),
    (at) => at > before,
  );
  const ofTail = (texts: Places) => runs.map(({ inTail, cells }) => (inTail ? lasting(cellsText(texts, cells)) : ''));
  const lines = canonicalLines(Handshake, places, HANDSHAKE_TAIL, ofTail);
  return (bytes, start, end, encoding) => {
    const line = lines.read(bytes, start, end, encoding);
    if (!line) return undefined;
    const parts: TextPart[] = [];
    let text = '';
    for (const [at, { inTail, cells }] of runs.entries()) {
      if (at > 0) text += ',';
      const part = inTail ? (line.made[at] ?? '') : cellsText(line.places, cells);
      if (typeof part === 'string') text += part;
      else {
        parts.push(text, part);
        text = '';
      }
    }
    parts.push(`${text}\n`);
    return parts;
  };
}

/** Neighbouring columns of which all, or none, are in the tail; `cells` says which text is whose. */
interface Run {
  readonly inTail: boolean;
  readonly cells: number[];
}

function runsOf(cells: readonly number[], isInTail: (cell: number) => boolean): Run[] {
  const runs: Run[] = [];
  for (const cell of cells) {
    const last = runs.at(-1);
    const inTail = isInTail(cell);
    if (last?.inTail === inTail) last.cells.push(cell);
    else runs.push({ inTail, cells: [cell] });
  }
  return runs;
}

function cellsText(texts: Places, cells: readonly number[]): string {
  let text = '';
  for (let at = 0; at < cells.length; at++) {
    if (at > 0) text += ',';
    text += csvCellText(texts[cells[at] ?? 0]);
  }
  return text;
}

/** Text that many lines have alike: bytes, where copying them is sooner than writing the text again. */
function lasting(text: string): TextPart {
  return text.length < MIN_BYTES ? text : Buffer.from(text);
}

const MIN_BYTES = 64;
