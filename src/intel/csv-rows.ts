import { feedLines } from './lines.js';

/** One record of a CSV feed. */
export interface CsvRow {
  /** 1-based line where the record starts. */
  readonly line: number;
  readonly cells: readonly string[];
  /** The record as it stands in the feed. */
  readonly text: string;
}

/**
 * RFC 4180 records of a feed, with their line numbers; what csv-parse gives for whatever both accept (the tests compare
 * them). Written out because a quote that never ends must cost one line and not the rest of the feed.
 * @param onBroken told of each line that is no record
 */
export function* csvRows(
  bytes: Buffer,
  onBroken: (line: number, text: string, reason: string) => void,
): Generator<CsvRow> {
  let open: { line: number; text: string; lines: { number: number; text: string }[] } | null = null;
  for (const { number, text } of feedLines(bytes, onBroken)) {
    if (open === null) {
      if (!text.includes('"')) yield { line: number, cells: text.split(','), text };
      else if (endsInsideQuotes(text)) open = { line: number, text, lines: [] };
      else yield* record(number, text, onBroken);
      continue;
    }
    open.lines.push({ number, text });
    open.text += `\n${text}`;
    if (!endsInsideQuotes(open.text)) {
      yield* record(open.line, open.text, onBroken);
      open = null;
    } else if (open.lines.length >= MAX_RECORD_LINES) {
      yield* unopened(open, onBroken);
      open = null;
    }
  }
  if (open) yield* unopened(open, onBroken);
}

/** The cells of one record; null where its quotes are not those of RFC 4180. */
export function csvCells(text: string): string[] | null {
  const cells: string[] = [];
  for (let at = 0; ; at++) {
    if (text[at] === '"') {
      let end = at + 1;
      while (end < text.length && (text[end] !== '"' || text[end + 1] === '"')) end += text[end] === '"' ? 2 : 1;
      if (end >= text.length) return null;
      cells.push(text.slice(at + 1, end).replaceAll('""', '"'));
      at = end + 1;
      if (at < text.length && text[at] !== ',') return null;
    } else {
      const comma = text.indexOf(',', at);
      const end = comma === -1 ? text.length : comma;
      const cell = text.slice(at, end);
      if (cell.includes('"')) return null;
      cells.push(cell);
      at = end;
    }
    if (at >= text.length) return cells;
  }
}

function* record(line: number, text: string, onBroken: (line: number, text: string, reason: string) => void) {
  const cells = csvCells(text);
  if (cells) yield { line, cells, text };
  else onBroken(line, text, 'its quotes are not those of CSV');
}

/** A quote that did not end within bounds: its first line is broken, and the others are read as if it had not begun. */
function* unopened(
  open: { line: number; text: string; lines: readonly { number: number; text: string }[] },
  onBroken: (line: number, text: string, reason: string) => void,
): Generator<CsvRow> {
  onBroken(open.line, open.text.slice(0, open.text.indexOf('\n') >>> 0), 'a quote is opened and never closed');
  for (const { number, text } of open.lines) {
    if (text.includes('"')) yield* record(number, text, onBroken);
    else yield { line: number, cells: text.split(','), text };
  }
}

function endsInsideQuotes(text: string): boolean {
  let quotes = 0;
  for (let at = text.indexOf('"'); at !== -1; at = text.indexOf('"', at + 1)) quotes++;
  return quotes % 2 === 1;
}

/** More lines than any field of a known feed has; the longest is salesforce's licence, of four. */
const MAX_RECORD_LINES = 64;
