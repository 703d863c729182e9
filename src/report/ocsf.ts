import type { Hit } from '../intel/hit.js';
import type { Snapshot } from '../snapshot/reader.js';
import type { Manifest } from '../snapshot/schema/manifest.js';
import type { Handshake } from '../snapshot/schema/handshake.js';
import { cipherSuiteName } from '../tls/names.js';
import type { ClientSide } from './connections.js';
import { handshakeDocuments, matchedField, type MatchedFields } from './handshake-documents.js';
import type { Renderer } from './renderer.js';
import { handshakeSentence } from './sentences.js';
import { epochMs } from './time.js';

/**
 * Events of OCSF's class network_activity (4001), one a hello, with the `host` profile for the process. A ServerHello is
 * told with what its client's hello said.
 */
export function ocsfRenderer(snapshot: Snapshot): Renderer {
  return handshakeDocuments((row, client, hits) => event(row, client, hits, snapshot.manifest));
}

function event(row: Handshake, client: ClientSide | null, hits: readonly Hit[], manifest: Manifest): object {
  const { flow, kind } = row;
  const [sender, receiver] = [
    { ip: flow.src, port: flow.srcPort },
    { ip: flow.dst, port: flow.dstPort },
  ];
  const [source, destination] = kind === 'client' ? [sender, receiver] : [receiver, sender];
  const serverName = kind === 'client' ? row.tls?.serverName : client?.serverName;
  const ja4 = kind === 'client' ? row.fingerprints?.ja4 : client?.ja4;
  return {
    activity_id: TRAFFIC,
    activity_name: 'Traffic',
    category_uid: 4,
    category_name: 'Network Activity',
    class_uid: NETWORK_ACTIVITY,
    class_name: 'Network Activity',
    type_uid: NETWORK_ACTIVITY * 100 + TRAFFIC,
    type_name: 'Network Activity: Traffic',
    severity_id: 1,
    severity: 'Informational',
    time: epochMs(row.time) ?? undefined,
    message: handshakeSentence(row),
    metadata: {
      version: OCSF_VERSION,
      product: { name: 'tlsnap', vendor_name: 'tlsnap', version: manifest.tool.version },
      profiles: ['host'],
      sequence: row.seq,
    },
    src_endpoint: source,
    dst_endpoint: { ...destination, ...(serverName && { hostname: serverName }) },
    connection_info: {
      // 1 is inbound, 2 outbound, 0 unknown: an imported capture does not say.
      direction_id: row.role === null ? 0 : row.role === 'client' ? 2 : 1,
      protocol_num: row.transport === 'tcp' ? 6 : 17,
      protocol_name: row.transport === 'tcp' ? 'tcp' : 'udp',
      protocol_ver_id: flow.src.includes(':') ? 6 : 4,
    },
    tls: tlsObject(row, client, serverName),
    ...(ja4 && { ja4_fingerprint_list: [ja4Fingerprint(ja4)] }),
    ...(row.process?.pid != null && { actor: { process: processObject(row.process) } }),
    ...(manifest.host && {
      device: { hostname: manifest.host.hostname, type_id: 0, os: { name: manifest.host.os ?? 'Linux', type_id: 200 } },
    }),
    ...(hits.length > 0 && { enrichments: hits.map((hit) => enrichment(hit, kind)) }),
    unmapped: {
      time_ns: row.time,
      ja3_sha256: row.fingerprints?.ja3Sha256,
      ja3_string: row.fingerprints?.ja3String,
      ja3s_string: row.fingerprints?.ja3sString,
      ja4_r: row.fingerprints?.ja4r,
      error: row.error ?? undefined,
    },
  };
}

function tlsObject(row: Handshake, client: ClientSide | null, serverName: string | null | undefined): object {
  const { tls, fingerprints, kind } = row;
  const ja3 = kind === 'client' ? fingerprints?.ja3 : client?.ja3;
  const cipher = kind === 'server' ? tls?.cipherSuites[0] : undefined;
  return {
    version: tls?.version ?? 'unknown',
    ...(cipher !== undefined && { cipher: cipherSuiteName(cipher) }),
    ...(kind === 'client' && { client_ciphers: tls?.cipherSuites.map(cipherSuiteName) }),
    ...(serverName && { sni: serverName }),
    ...(ja3 && { ja3_hash: md5Fingerprint(ja3) }),
    ...(fingerprints?.ja3s !== undefined && { ja3s_hash: md5Fingerprint(fingerprints.ja3s) }),
  };
}

function md5Fingerprint(value: string): object {
  return { algorithm_id: 1, algorithm: 'MD5', value };
}

function ja4Fingerprint(value: string): object {
  const [a, b, c] = value.split('_');
  return { type_id: 1, type: 'JA4', value, section_a: a, section_b: b, section_c: c };
}

function processObject({ pid, tid, comm, exe, ppid, uid }: NonNullable<Handshake['process']>): object {
  return {
    pid,
    ...(tid !== null && { tid }),
    ...(comm !== null && { name: comm }),
    ...(exe !== null && { file: { name: exe.slice(exe.lastIndexOf('/') + 1), path: exe, type_id: 1 } }),
    ...(ppid !== null && { parent_process: { pid: ppid } }),
    ...(uid !== null && { user: { uid: String(uid) } }),
  };
}

/** Its name is that of the event's attribute that was matched, and its value what is in it. */
function enrichment(hit: Hit, kind: Handshake['kind']): object {
  const { confidence, feed, indicator, matched, serverName, why } = hit;
  return {
    name: matchedField(hit, kind, OCSF_ATTRIBUTES),
    // Of a domain, the name below it that the client asked for.
    value: matched.field === 'serverName' ? (serverName ?? matched.value) : matched.value,
    type: 'tlsnap-hit',
    provider: feed,
    data: {
      confidence,
      line: indicator.line,
      type: indicator.type,
      indicator: indicator.value,
      description: indicator.description,
      why,
    },
  };
}

const NETWORK_ACTIVITY = 4001;
const TRAFFIC = 6;
const OCSF_VERSION = '1.4.0';
const OCSF_ATTRIBUTES: MatchedFields = {
  ja3: 'tls.ja3_hash.value',
  ja3s: 'tls.ja3s_hash.value',
  ja3Sha256: 'unmapped.ja3_sha256',
  ja3String: 'unmapped.ja3_string',
  ja3sString: 'unmapped.ja3s_string',
  ja4: 'ja4_fingerprint_list.value',
  ja4r: 'unmapped.ja4_r',
  serverName: 'tls.sni',
  'flow.src': 'src_endpoint.ip',
  'flow.dst': 'dst_endpoint.ip',
};
