import type { Hit } from '../intel/hit.js';
import type { Handshake } from '../snapshot/schema/handshake.js';
import { type ClientSide, Connections } from './connections.js';
import { type MarkedBatch, NO_HITS, type Renderer } from './renderer.js';

/** What a format says of one hello. `client` is, for a ServerHello, what its client's hello said, where that is known. */
export type HandshakeDocument = (row: Handshake, client: ClientSide | null, hits: readonly Hit[]) => object;

/** A renderer of JSON Lines, one document a hello. */
export function handshakeDocuments(document: HandshakeDocument): Renderer {
  const connections = new Connections();
  return {
    members: ['handshakes'],
    shows: ['handshakes'],
    head: () => '',
    rows: (batch: MarkedBatch) => {
      if (batch.member !== 'handshakes') return '';
      let lines = '';
      batch.rows.forEach((row, at) => {
        const client = row.kind === 'server' ? connections.clientOf(row) : null;
        const hits = batch.hits?.[at] ?? NO_HITS;
        connections.take(row, hits);
        lines += `${JSON.stringify(document(row, client, hits))}\n`;
      });
      return lines;
    },
    end: () => [],
  };
}

/**
 * Where a document holds what a hit matched, by what matched in the row. Source is who opened the connection, and a
 * ServerHello flows towards it.
 */
export function matchedField({ matched }: Hit, kind: Handshake['kind'], fields: MatchedFields): string {
  const field = (kind === 'server' && SERVER_FLOW[matched.field]) || matched.field;
  return fields[field] ?? field;
}

/** The name of a field in a format, by the name of what a feed matches. */
export type MatchedFields = Readonly<Record<string, string>>;

const SERVER_FLOW: MatchedFields = { 'flow.src': 'flow.dst', 'flow.dst': 'flow.src' };
