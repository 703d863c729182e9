import { createHash } from 'node:crypto';
import type { Snapshot } from '../snapshot/reader.js';
import { cipherSuiteName } from '../tls/names.js';
import { type Connection, Connections } from './connections.js';
import { type MarkedBatch, NO_HITS, type Renderer } from './renderer.js';
import { hitSentence } from './sentences.js';
import { epochMicros } from './time.js';

/**
 * Lines of Zeek's ssl.log in JSON (scripts/base/protocols/ssl/main.zeek), with the fields of the ja3 and ja4 packages:
 * one a connection, when the server has answered or nobody did. What two hellos cannot tell (`established`, `resumed`,
 * `curve`) is left out, as Zeek leaves out what is not set.
 */
export function zeekRenderer(snapshot: Snapshot): Renderer {
  const connections = new Connections();
  const line = (connection: Connection): string => `${JSON.stringify(record(connection, snapshot.manifestSha256))}\n`;
  return {
    members: ['handshakes'],
    shows: ['handshakes'],
    head: () => '',
    rows: (batch: MarkedBatch) =>
      batch.member !== 'handshakes'
        ? ''
        : batch.rows
            .flatMap((row, at) => connections.take(row, batch.hits?.[at] ?? NO_HITS))
            .map(line)
            .join(''),
    *end() {
      for (const connection of connections.end()) yield line(connection);
    },
  };
}

function record({ client, server, hits }: Connection, snapshot: string): object {
  // A client's flow is written from the client's side, a server's from the server's.
  const flow = client?.flow ?? server?.flow;
  const [orig, resp] = client
    ? [[flow?.src, flow?.srcPort], [flow?.dst, flow?.dstPort]]
    : [[flow?.dst, flow?.dstPort], [flow?.src, flow?.srcPort]]; // prettier-ignore
  const micros = epochMicros(client?.time ?? server?.time ?? '');
  const cipher = server?.tls?.cipherSuites[0];
  return {
    ts: micros === null ? undefined : micros / 1e6,
    uid: uid(`${snapshot} ${client?.seq ?? ''} ${server?.seq ?? ''}`),
    'id.orig_h': orig[0],
    'id.orig_p': orig[1],
    'id.resp_h': resp[0],
    'id.resp_p': resp[1],
    version: zeekVersion(server?.tls?.version ?? null),
    cipher: cipher === undefined ? undefined : cipherSuiteName(cipher),
    server_name: client?.serverName ?? undefined,
    next_protocol: server?.tls?.alpn[0],
    ja3: client?.ja3 ?? undefined,
    ja3s: server?.fingerprints?.ja3s,
    ja4: client?.ja4 ?? undefined,
    tlsnap_hits: hits.length === 0 ? undefined : hits.map(hitSentence),
  };
}

/** As Zeek names versions: `TLSv12`, `DTLSv10`, `SSLv3`. */
function zeekVersion(name: string | null): string | undefined {
  const match = /^(SSL|TLS|DTLS) (\d)\.(\d)(?: draft (\d+))?/.exec(name ?? '');
  if (!match) return undefined;
  const [, protocol = '', major = '', minor = '', draft] = match;
  if (draft !== undefined) return `TLSv13-draft${draft}`;
  return protocol === 'SSL' ? `SSLv${major}` : `${protocol}v${major}${minor}`;
}

/** `C` and 17 characters, as Zeek's; the same for the same connection of the same snapshot. */
function uid(text: string): string {
  const digest = createHash('sha256').update(text).digest('base64').replace(/[+/=]/g, '');
  return `C${digest.slice(0, 17)}`;
}
