import { stringify } from 'csv-stringify/sync';

export type CsvCell = string | number | boolean | null | undefined;

/**
 * Rows as CSV (RFC 4180, line feeds), safe to open in a spreadsheet (ASVS 1.2.10, CWE-1236): a cell of text that would
 * be taken for a formula, and any that starts with an apostrophe, gets a leading `'`. Whoever reads it back takes one
 * leading `'` off and has the value again. Numbers are numbers, and nothing is an empty cell.
 */
export function csvLines(rows: readonly (readonly CsvCell[])[]): string {
  return stringify(
    rows.map((row) => row.map(csvCell)),
    // A lone carriage return ends a row for many readers: quoted, it is text.
    { quoted_match: /\r/ },
  );
}

function csvCell(cell: CsvCell): string | number | null {
  if (typeof cell === 'boolean') return String(cell);
  if (typeof cell === 'string' && /^['=+\-@\t\r\n\0]/.test(cell)) return `'${cell}`;
  return cell ?? null;
}

/**
 * Rows as CSV, as `csvLines()` writes them (a test holds the two against each other), at about ten times
 * its pace: csv-stringify writes some 30,000 rows of 60 columns a second, and a report or a replay has a million.
 */
export function csvText(rows: readonly (readonly CsvCell[])[]): string {
  let text = '';
  for (const row of rows) {
    for (let at = 0; at < row.length; at++) {
      if (at > 0) text += ',';
      text += csvCellText(row[at]);
    }
    text += '\n';
  }
  return text;
}

/** One cell as csvText() writes it. */
export function csvCellText(cell: CsvCell): string {
  if (cell === null || cell === undefined) return '';
  if (typeof cell !== 'string') return String(cell);
  // Nothing is an empty cell, and text without a character is a quoted one.
  if (cell === '') return '""';
  // One look is enough for nearly all.
  if (!FORMULA_OR_SPECIAL.test(cell)) return cell;
  const text = FORMULA.test(cell) ? `'${cell}` : cell;
  return SPECIAL.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

const FORMULA = /^['=+\-@\t\r\n\0]/;
const SPECIAL = /[",\r\n]/;
const FORMULA_OR_SPECIAL = new RegExp(`${FORMULA.source}|${SPECIAL.source}`);
