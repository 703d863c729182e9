import type { Hit } from '../intel/hit.js';
import { endingFault, RowParser } from '../snapshot/row-parser.js';
import { rowCheck, type Rows } from '../snapshot/schema/validators.js';
import { csvCellText, csvText } from '../csv.js';
import { TextBytes, type TextPart } from '../text-parts.js';
import type { ReportTable } from './formats.js';
import { handshakeCsvLine } from './handshake-csv-line.js';
import { type LineRenderer, type MarkedBatch, NO_HITS, type Renderer } from './renderer.js';
import { type Column, hitsText } from './tables/column.js';
import { FINGERPRINT_COLUMNS } from './tables/fingerprints.js';
import { HANDSHAKE_COLUMNS } from './tables/handshakes.js';
import { MATCH_COLUMNS } from './tables/matches.js';
import { PROCESS_COLUMNS } from './tables/processes.js';
import { SOCKET_COLUMNS } from './tables/sockets.js';

/** One table of a snapshot as CSV; docs/reports.md has the rule by which it is read back. */
export function csvRenderer(table: ReportTable): Renderer {
  switch (table) {
    case 'handshakes':
      return new HandshakeTable();
    case 'processes':
      return new MemberTable('processes', PROCESS_COLUMNS);
    case 'fingerprints':
      return new MemberTable('fingerprints', FINGERPRINT_COLUMNS);
    case 'sockets':
      return new MemberTable('sockets', SOCKET_COLUMNS);
    case 'matches':
      return new MatchTable();
  }
}

/** The rows of one member. */
class MemberTable<Name extends 'handshakes' | 'processes' | 'fingerprints' | 'sockets'> implements Renderer {
  readonly members: readonly [Name];
  readonly shows: readonly ('handshakes' | 'processes')[];
  readonly #columns: readonly Column<Rows[Name]>[];

  constructor(member: Name, columns: readonly Column<Rows[Name]>[]) {
    this.members = [member];
    this.shows = member === 'handshakes' || member === 'processes' ? [member] : [];
    this.#columns = columns;
  }

  head(): string {
    return headOf(this.#columns);
  }

  rows({ rows, hits }: MarkedBatch): string {
    const columns = this.#columns;
    return csvText(
      (rows as unknown as readonly Rows[Name][]).map((row, at) => {
        const found = hits?.[at] ?? NO_HITS;
        return columns.map(({ value }) => value(row, found));
      }),
    );
  }

  end(): string[] {
    return [];
  }
}

type HandshakeRow = Rows['handshakes'];

class HandshakeTable extends MemberTable<'handshakes'> {
  constructor() {
    super('handshakes', HANDSHAKE_COLUMNS);
  }

  lines(snapshot: string): LineRenderer {
    const csvLine = handshakeCsvLine();
    const check = rowCheck('handshakes');
    const onFault = endingFault(snapshot, 'handshakes');
    return ({ bytes, before, hits }) => {
      const parser = new RowParser<HandshakeRow | readonly TextPart[]>(check, onFault, csvLine, before);
      const text = new TextBytes(bytes.length);
      let rows = 0;
      parser.each(bytes, (row) => {
        const found = hits.get(parser.lines) ?? NO_HITS;
        text.add(isParts(row) ? withHits(row, found) : [this.#text(row, found)]);
        rows += 1;
      });
      return { bytes: text.bytes(), rows };
    };
  }

  /** Of a line that tlsnap would not write so. */
  #text(row: HandshakeRow, hits: readonly Hit[]): string {
    return this.rows({ member: 'handshakes', rows: [row], hits: [hits] });
  }
}

/** Their cell is the last one, and was left empty. */
function withHits(line: readonly TextPart[], hits: readonly Hit[]): readonly TextPart[] {
  if (hits.length === 0) return line;
  return [...line.slice(0, -1), `${String(line.at(-1)).slice(0, -1)}${csvCellText(hitsText(hits))}\n`];
}

function isParts(row: object): row is readonly TextPart[] {
  return Array.isArray(row);
}

/** What feeds name in the snapshot, one hit a row. */
class MatchTable implements Renderer {
  readonly members = ['handshakes', 'processes'] as const;
  readonly shows = ['handshakes', 'processes'] as const;

  head(): string {
    return headOf(MATCH_COLUMNS);
  }

  rows({ hits }: MarkedBatch): string {
    return hits ? csvText(hits.flat().map(matchRow)) : '';
  }

  end(): string[] {
    return [];
  }
}

function matchRow(hit: Hit) {
  return MATCH_COLUMNS.map(({ value }) => value(hit, NO_HITS));
}

function headOf<Row>(columns: readonly Column<Row>[]): string {
  return csvText([columns.map(({ name }) => name)]);
}
