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
