import type { CsvCell } from '../csv.js';

/**
 * Rows as CSV, as `csvLines()` of src/csv.ts writes them (a test holds the two against each other), at about ten times
 * its pace: csv-stringify writes some 30,000 rows of 60 columns a second, and a report has a million.
 */
export function csvText(rows: readonly (readonly CsvCell[])[]): string {
  let text = '';
  for (const row of rows) {
    for (let at = 0; at < row.length; at++) {
      if (at > 0) text += ',';
      text += csvCell(row[at]);
    }
    text += '\n';
  }
  return text;
}

function csvCell(cell: CsvCell): string {
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
