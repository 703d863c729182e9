import type { Snapshot } from '../snapshot/reader.js';
import { type CsvCell, csvText } from '../csv.js';
import type { MarkedBatch, Renderer } from './renderer.js';
import { hitSentence } from './sentences.js';
import { epochMicros, isoMicros } from './time.js';
import { type TimelineEvent, timelineEvents } from './timeline-events.js';

/**
 * Events for Timesketch (docs/guides/user/import-from-json-csv.md there): `message`, `datetime` and `timestamp_desc`,
 * which it requires, and `timestamp` in microseconds. A hit becomes a tag.
 */
export function timesketchRenderer(snapshot: Snapshot, encoding: 'jsonl' | 'csv'): Renderer {
  const host = snapshot.manifest.host?.hostname ?? null;
  const encode = encoding === 'csv' ? csvLines : jsonLines;
  return {
    members: ['handshakes', 'processes'],
    shows: ['handshakes', 'processes'],
    head: () => (encoding === 'csv' ? csvText([FIELDS]) : ''),
    rows: (batch: MarkedBatch) => encode(timelineEvents(batch).map((event) => fieldsOf(event, host))),
    end: () => [],
  };
}

type Fields = Readonly<Record<(typeof FIELDS)[number], CsvCell | readonly string[]>>;

function jsonLines(events: readonly Fields[]): string {
  return events.map((event) => `${JSON.stringify(event, withoutNulls)}\n`).join('');
}

function csvLines(events: readonly Fields[]): string {
  return csvText(events.map((event) => FIELDS.map((field) => cellOf(event[field]))));
}

/** A list as JSON, which Timesketch's importer reads in `tag`. */
function cellOf(value: Fields[keyof Fields]): CsvCell {
  return typeof value === 'object' && value !== null ? (value.length === 0 ? null : JSON.stringify(value)) : value;
}

function fieldsOf(event: TimelineEvent, host: string | null): Fields {
  const { handshake, process } = event;
  const who = handshake ? handshake.process : process;
  const flow = handshake?.flow;
  return {
    message: event.message,
    datetime: isoMicros(event.time),
    timestamp: epochMicros(event.time),
    timestamp_desc: event.meaning,
    time_ns: event.time,
    data_type: handshake ? 'tlsnap:handshake' : 'tlsnap:process',
    hostname: host,
    seq: handshake?.seq ?? null,
    kind: handshake?.kind ?? null,
    role: handshake?.role ?? null,
    transport: handshake?.transport ?? null,
    src_ip: flow?.src ?? null,
    src_port: flow?.srcPort ?? null,
    dst_ip: flow?.dst ?? null,
    dst_port: flow?.dstPort ?? null,
    pid: who?.pid ?? null,
    ppid: who?.ppid ?? null,
    uid: who?.uid ?? null,
    process_name: who?.comm ?? null,
    executable: who?.exe ?? null,
    command_line: process?.cmdline ? process.cmdline.join(' ') : null,
    sha256_hash: process?.exeSha256 ?? null,
    container: handshake ? (handshake.process?.container ?? null) : (process.container?.id ?? null),
    tls_version: handshake?.tls?.version ?? null,
    server_name: handshake?.tls?.serverName ?? null,
    ja3: handshake?.fingerprints?.ja3 ?? null,
    ja3s: handshake?.fingerprints?.ja3s ?? null,
    ja4: handshake?.fingerprints?.ja4 ?? null,
    tag: event.hits.length === 0 ? [] : [...new Set(event.hits.map((hit) => `tlsnap-hit-${hit.confidence}`))],
    hits: event.hits.map(hitSentence),
  };
}

function withoutNulls(this: unknown, _: string, value: unknown): unknown {
  return value === null || (Array.isArray(value) && value.length === 0) ? undefined : value;
}

const FIELDS = [
  ...(['message', 'datetime', 'timestamp', 'timestamp_desc', 'time_ns', 'data_type', 'hostname'] as const),
  ...(['seq', 'kind', 'role', 'transport', 'src_ip', 'src_port', 'dst_ip', 'dst_port'] as const),
  ...(['pid', 'ppid', 'uid', 'process_name', 'executable', 'command_line', 'sha256_hash', 'container'] as const),
  ...(['tls_version', 'server_name', 'ja3', 'ja3s', 'ja4', 'tag', 'hits'] as const),
];
