import type { Hit } from '../intel/hit.js';
import { handshakeExcerpt, type HandshakeExcerpt } from '../snapshot/handshake-excerpt.js';
import type { RowMember } from '../snapshot/members.js';
import type { Lines } from '../snapshot/reader.js';
import { endingFault, type Excerpt, RowParser } from '../snapshot/row-parser.js';
import { rowCheck, type Rows } from '../snapshot/schema/validators.js';
import type { Marks } from './marks.js';
import type { MarkedLines } from './renderer.js';

/**
 * Compares lines with feeds as they pass by, and reads no more of them than that needs. They must come in the order of the file, each
 * once; a line that no snapshot has is a TlsnapError. The name of the snapshot is for messages.
 */
export function lineMarks(marks: Marks, snapshot: string): (lines: Lines) => MarkedLines {
  if (!marks.compares) return (lines) => ({ ...lines, hits: NO_HITS });
  const hitsOf: { readonly [Name in RowMember]?: HitsOf } = {
    handshakes: hitsOfRows(snapshot, 'handshakes', (row: HandshakeExcerpt) => marks.handshake(row), handshakeExcerpt()),
    processes: hitsOfRows(snapshot, 'processes', (row: Rows['processes']) => marks.process(row)),
  };
  return (lines) => ({ ...lines, hits: hitsOf[lines.member]?.(lines) ?? NO_HITS });
}

type HitsOf = (lines: Lines) => MarkedLines['hits'];

function hitsOfRows<Row>(
  snapshot: string,
  member: RowMember,
  compare: (row: Row) => readonly Hit[],
  excerpt?: Excerpt<Row>,
): HitsOf {
  const check = rowCheck(member);
  const onFault = endingFault(snapshot, member);
  return ({ bytes, before }) => {
    const hits = new Map<number, readonly Hit[]>();
    const parser = new RowParser<Row>(check, onFault, excerpt, before);
    parser.each(bytes, (row) => {
      const found = compare(row);
      if (found.length > 0) hits.set(parser.lines, found);
    });
    return hits;
  };
}

const NO_HITS: MarkedLines['hits'] = new Map();
