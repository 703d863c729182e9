import { canonicalLines, placesBefore, type Schema, schemasByPlace } from '../snapshot/canonical-line.js';
import { HANDSHAKE_TAIL } from '../snapshot/handshake-excerpt.js';
import type { Places } from '../snapshot/repeated-tail.js';
import type { Excerpt } from '../snapshot/row-parser.js';
import { decimal, md5, sha256, time } from '../snapshot/schema/fields.js';
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
  const schemas = schemasByPlace(Handshake);
  const places = [...schemas.keys()].filter((place) => wanted.has(place));
  const before = placesBefore(Handshake, places, HANDSHAKE_TAIL);
  const runs = runsOf(
    // Texts follow the line itself. Hits have no place: their cell is empty, as what lies beyond the last text.
    HANDSHAKE_COLUMNS.map(({ place }) => ({
      at: 1 + (place === undefined ? places.length : places.indexOf(place)),
      plain: (place !== undefined && schemas.get(place)?.every(isPlain)) ?? false,
    })),
    ({ at }) => at > before,
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

/** What a column shows: which text of a line, and whether that never needs quotes. */
interface Cell {
  readonly at: number;
  readonly plain: boolean;
}

/** Neighbouring columns of which all, or none, are in the tail. */
interface Run {
  readonly inTail: boolean;
  readonly cells: Cell[];
}

function runsOf(cells: readonly Cell[], isInTail: (cell: Cell) => boolean): Run[] {
  const runs: Run[] = [];
  for (const cell of cells) {
    const last = runs.at(-1);
    const inTail = isInTail(cell);
    if (last?.inTail === inTail) last.cells.push(cell);
    else runs.push({ inTail, cells: [cell] });
  }
  return runs;
}

function cellsText(texts: Places, cells: readonly Cell[]): string {
  let text = '';
  for (let order = 0; order < cells.length; order++) {
    if (order > 0) text += ',';
    const { at, plain } = cells[order] as Cell;
    const cell = texts[at];
    text += plain ? (cell ?? '') : csvCellText(cell);
  }
  return text;
}

/** Numbers, digests and times are never taken for formulas, nor do they hold a comma. */
function isPlain({ type, enum: values, pattern }: Schema): boolean {
  if (values) return values.every((value) => csvCellText(value) === value);
  return type === 'string' ? PLAIN_PATTERNS.includes(pattern) : type !== undefined && PLAIN_TYPES.includes(type);
}

const PLAIN_PATTERNS = [decimal, time, md5, sha256].map(({ pattern }: Schema) => pattern);
const PLAIN_TYPES = ['null', 'boolean', 'integer'];

/** Text that many lines have alike: bytes, where copying them is sooner than writing the text again. */
function lasting(text: string): TextPart {
  return text.length < MIN_BYTES ? text : Buffer.from(text);
}

const MIN_BYTES = 64;
