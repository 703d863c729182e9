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
