import { csvRows } from '../csv-rows.js';
import type { FeedContent } from '../feed.js';
import type { IndicatorPart, SimpleType } from '../indicator.js';
import { joined, textOf } from '../json-facts.js';
import { ja4Form, normaliseValue } from '../values.js';

/**
 * FoxIO `ja4plus-mapping.csv`: `Application,Library,Device,OS,ja4,ja4s,ja4h,ja4x,ja4t,ja4tscan,Notes`. Two fingerprints
 * in one row must both hold (AND). The file repeats rows and has trailing blanks; a repetition is left out.
 * https://github.com/FoxIO-LLC/ja4
 */
export function readJa4plusMapping(bytes: Buffer, content: FeedContent): void {
  let header: Header | null = null;
  const seen = new Set<string>();
  for (const { line, cells, text } of csvRows(bytes, content.problem.bind(content))) {
    if (text.startsWith('#') || text.trim() === '') continue;
    if (header === null) {
      const names = cells.map((cell) => cell.trim().toLowerCase());
      header = { size: names.length, at: new Map(names.map((name) => [name, names.indexOf(name)])) };
      continue;
    }
    const known = seen.size;
    if (seen.add(keyOf(cells, text)).size === known) content.skip(line, 'a repetition of an earlier row');
    else readRow(line, cells, header, text, content);
  }
}

interface Header {
  readonly size: number;
  readonly at: ReadonlyMap<string, number>;
}

/** One text for all rows that say the same, whatever their blanks and quotes: nearly always the row as it stands. */
function keyOf(cells: readonly string[], text: string): string {
  if (!QUOTED_OR_SPACED.test(text)) return text;
  return cells.map((cell) => (/[",]/.test(cell) ? JSON.stringify(cell.trim()) : cell.trim())).join(',');
}

function readRow(line: number, row: readonly string[], header: Header, text: string, content: FeedContent): void {
  const cell = (name: string): string | null => textOf(row[header.at.get(name) ?? -1]);
  const parts: IndicatorPart[] = [];
  for (const type of FIELDS) {
    const value = cell(type);
    if (value === null) continue;
    const part = type === 'ja4' ? ja4Form(value) : { type, value: normaliseValue(type, value) };
    if (part?.value === undefined) {
      content.problem(line, text, `its ${type} has not the form of one`);
      return;
    }
    parts.push({ type: part.type, value: part.value });
  }
  if (row.length > header.size && row.slice(header.size).some((extra) => extra.trim() !== '')) {
    content.problem(line, text, `has ${row.length} fields, and the header ${header.size}`);
    return;
  }
  if (parts.length === 0) {
    content.skip(line, 'a row without a fingerprint');
    return;
  }
  const name = joined([cell('application'), cell('library')]);
  const where = joined([cell('device'), cell('os')]);
  content.addAll(line, parts, { description: joined([name, where, cell('notes')], '; ') });
}

const FIELDS: readonly SimpleType[] = ['ja4', 'ja4s', 'ja4h', 'ja4x', 'ja4t', 'ja4ts', 'ja4tscan'];
/** A quote, or a blank at the start or the end of a cell. */
const QUOTED_OR_SPACED = /"|^\s|,\s|\s(?:,|$)/;
