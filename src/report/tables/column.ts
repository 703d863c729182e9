import type { CsvCell } from '../../csv.js';
import type { Hit } from '../../intel/hit.js';

/**
 * A column of a table: what its cells hold, and where in a row the value is. `json` cells hold a list or an object as
 * JSON. Columns are only ever added at a table's end.
 */
export interface Column<Row> {
  readonly name: string;
  readonly type: ColumnType;
  /** Where the value stands in the row, a JSON pointer; only where the cell is exactly what stands there. */
  readonly place?: string;
  readonly value: (row: Row, hits: readonly Hit[]) => CsvCell;
}

export type ColumnType = 'text' | 'number' | 'boolean' | 'json';

export function text<Row>(name: string, value: (row: Row) => string | null | undefined, place?: string): Column<Row> {
  return { name, type: 'text', value, ...(place !== undefined && { place }) };
}

export function number<Row>(name: string, value: (row: Row) => number | null | undefined, place?: string): Column<Row> {
  return { name, type: 'number', value, ...(place !== undefined && { place }) };
}

export function boolean<Row>(
  name: string,
  value: (row: Row) => boolean | null | undefined,
  place?: string,
): Column<Row> {
  return { name, type: 'boolean', value, ...(place !== undefined && { place }) };
}

export function json<Row>(name: string, value: (row: Row) => object | null | undefined, place?: string): Column<Row> {
  return { name, type: 'json', value: (row) => jsonCell(value(row)), ...(place !== undefined && { place }) };
}

/** A list of numbers, which JSON.stringify takes a long way round for. */
export function numbers<Row>(
  name: string,
  value: (row: Row) => readonly number[] | null | undefined,
  place?: string,
): Column<Row> {
  return {
    name,
    type: 'json',
    ...(place !== undefined && { place }),
    value: (row) => {
      const list = value(row);
      return list ? `[${list.join(',')}]` : null;
    },
  };
}

/** What feeds say of the row; empty where no feed was compared, or nothing hit. */
export function hitsColumn<Row>(): Column<Row> {
  return {
    name: 'hits',
    type: 'json',
    value: (_, hits) => (hits.length === 0 ? null : hitsText(hits)),
  };
}

export function hitsText(hits: readonly Hit[]): string {
  return JSON.stringify(hits.map(hitInBrief));
}

function hitInBrief({ confidence, feed, indicator, matched }: Hit): object {
  const { type, value, line, description } = indicator;
  return { confidence, feed, line, type, value, description, field: matched.field };
}

function jsonCell(value: object | null | undefined): string | null {
  return value ? JSON.stringify(value) : null;
}
