import type { Hit } from '../intel/hit.js';
import type { Snapshot } from '../snapshot/reader.js';
import type { Handshake } from '../snapshot/schema/handshake.js';
import { cipherSuiteName } from '../tls/names.js';
import type { ClientSide } from './connections.js';
import { handshakeDocuments, matchedField, type MatchedFields } from './handshake-documents.js';
import type { Renderer } from './renderer.js';
import { handshakeSentence } from './sentences.js';

/**
 * Documents of the Elastic Common Schema, one a hello. What is negotiated (`tls.version`, `tls.cipher`,
 * `tls.next_protocol`) comes with the ServerHello, together with what its client's hello said. ECS has no field for JA4:
 * that, and whatever else it does not know, is under `tlsnap`.
 */
export function ecsRenderer(snapshot: Snapshot): Renderer {
  const { manifest, manifestSha256 } = snapshot;
  const constant = {
    ecs: { version: ECS_VERSION },
    observer: { vendor: 'tlsnap', product: 'tlsnap', version: manifest.tool.version, type: 'sensor' },
    ...(manifest.host && {
      host: compact({
        hostname: manifest.host.hostname,
        name: manifest.host.hostname,
        id: manifest.host.machineId,
        architecture: manifest.host.architecture,
        os: compact({ full: manifest.host.os, kernel: manifest.host.kernel, type: 'linux' }),
      }),
    }),
  };
  return handshakeDocuments((row, client, hits) => ({ ...document(row, client, hits, manifestSha256), ...constant }));
}

function document(row: Handshake, client: ClientSide | null, hits: readonly Hit[], snapshot: string): object {
  const { flow, process, kind } = row;
  const [clientEnd, serverEnd] = [
    { ip: flow.src, port: flow.srcPort },
    { ip: flow.dst, port: flow.dstPort },
  ];
  // Source and client are who opened the connection, whoever of the two sent this hello.
  const [from, to] = kind === 'client' ? [clientEnd, serverEnd] : [serverEnd, clientEnd];
  const serverName = kind === 'client' ? row.tls?.serverName : client?.serverName;
  const destination = { address: to.ip, ...to, ...(serverName && { domain: serverName }) };
  const source = { address: from.ip, ...from };
  return {
    '@timestamp': row.time,
    message: handshakeSentence(row),
    event: {
      kind: hits.length > 0 ? 'alert' : 'event',
      category: ['network'],
      type: ['connection', 'protocol', 'info'],
      action: kind === 'client' ? 'tls-client-hello' : 'tls-server-hello',
      module: 'tlsnap',
      dataset: 'tlsnap.handshake',
      sequence: row.seq,
      id: `${snapshot.slice(0, 16)}-${row.seq}`,
    },
    network: compact({
      transport: row.transport === 'tcp' ? 'tcp' : 'udp',
      type: flow.src.includes(':') ? 'ipv6' : 'ipv4',
      protocol: row.transport === 'tcp' ? 'tls' : row.transport,
      direction: row.role === null ? null : row.role === 'client' ? 'egress' : 'ingress',
    }),
    source,
    client: source,
    destination,
    server: destination,
    ...(process?.pid != null && {
      process: compact({
        pid: process.pid,
        name: process.comm,
        executable: process.exe,
        entity_id: process.startTimeNs === null ? null : `${process.pid}-${process.startTimeNs}`,
        thread: process.tid === null ? null : compact({ id: process.tid, name: process.threadComm }),
        parent: process.ppid === null ? null : { pid: process.ppid },
        user: process.uid === null ? null : { id: String(process.uid) },
        group: process.gid === null ? null : { id: String(process.gid) },
      }),
      ...(process.container !== null && { container: { id: process.container } }),
    }),
    tls: tlsFields(row, client, serverName),
    tlsnap: ownFields(row, client),
    ...(hits.length > 0 && { threat: { enrichments: hits.map((hit) => enrichment(hit, kind)) } }),
  };
}

function tlsFields(row: Handshake, client: ClientSide | null, serverName: string | null | undefined): object {
  const { tls, fingerprints, kind } = row;
  if (kind === 'client') {
    return {
      client: compact({
        ja3: fingerprints?.ja3,
        server_name: serverName,
        supported_ciphers: tls?.cipherSuites.map(cipherSuiteName),
      }),
    };
  }
  const [protocol, version] = tls?.version?.toLowerCase().split(' ') ?? [];
  const cipher = tls?.cipherSuites[0];
  return compact({
    version,
    version_protocol: protocol,
    cipher: cipher === undefined ? null : cipherSuiteName(cipher),
    next_protocol: tls?.alpn[0],
    client: client && compact({ ja3: client.ja3, server_name: client.serverName }),
    server: compact({ ja3s: fingerprints?.ja3s }),
  });
}

function ownFields(row: Handshake, client: ClientSide | null): object {
  const { fingerprints, tls, hello } = row;
  return compact({
    kind: row.kind,
    role: row.role,
    attribution: row.process?.attribution,
    cgroup: row.process?.cgroup,
    netns: row.flow.netns,
    ja3_sha256: fingerprints?.ja3Sha256,
    ja3_string: fingerprints?.ja3String,
    ja3s_string: fingerprints?.ja3sString,
    ja4: row.kind === 'client' ? fingerprints?.ja4 : client?.ja4,
    ja4_r: fingerprints?.ja4r,
    offered_version: row.kind === 'client' ? tls?.version : null,
    offered_protocols: row.kind === 'client' ? tls?.alpn : null,
    hello_retry_request: tls?.helloRetryRequest,
    after_retry: hello.afterRetry || null,
    complete: hello.complete,
    error: row.error,
  });
}

/** A hit, in the form that Elastic's indicator match rules leave behind: `matched` is a field of the document, and what is in it. */
function enrichment(hit: Hit, kind: Handshake['kind']): object {
  const { confidence, feed, indicator, matched, why } = hit;
  return {
    indicator: compact({
      confidence: `${confidence.charAt(0).toUpperCase()}${confidence.slice(1)}`,
      description: indicator.description,
      provider: feed,
    }),
    matched: { atomic: matched.value, field: matchedField(hit, kind, ECS_FIELDS), type: 'tlsnap' },
    tlsnap: { line: indicator.line, type: indicator.type, why },
  };
}

/** Without what is not known: JSON has no fields that are undefined. Changes the object itself, which keeps its shape and is sooner written. */
function compact<T extends object>(fields: T): Partial<T> {
  const values = fields as Record<string, unknown>;
  for (const name in values) values[name] ??= undefined;
  return fields;
}

const ECS_VERSION = '8.17.0';
const ECS_FIELDS: MatchedFields = {
  ja3: 'tls.client.ja3',
  ja3s: 'tls.server.ja3s',
  ja3Sha256: 'tlsnap.ja3_sha256',
  ja3String: 'tlsnap.ja3_string',
  ja3sString: 'tlsnap.ja3s_string',
  ja4: 'tlsnap.ja4',
  ja4r: 'tlsnap.ja4_r',
  serverName: 'tls.client.server_name',
  'flow.src': 'source.ip',
  'flow.dst': 'destination.ip',
};
