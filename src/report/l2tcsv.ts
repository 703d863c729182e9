import type { Snapshot } from '../snapshot/reader.js';
import { printable } from '../terminal.js';
import { type CsvCell, csvText } from '../csv.js';
import type { MarkedBatch, Renderer } from './renderer.js';
import { hitSentence } from './sentences.js';
import { epochMs } from './time.js';
import { type TimelineEvent, timelineEvents } from './timeline-events.js';

/** log2timeline's CSV, version 2: the 17 columns of Plaso's l2tcsv output, times in UTC. */
export function l2tcsvRenderer(snapshot: Snapshot): Renderer {
  const host = snapshot.manifest.host?.hostname ?? null;
  return {
    members: ['handshakes', 'processes'],
    shows: ['handshakes', 'processes'],
    head: () => csvText([COLUMNS]),
    rows: (batch: MarkedBatch) => csvText(timelineEvents(batch).map((event) => cells(event, host))),
    end: () => [],
  };
}

function cells(event: TimelineEvent, host: string | null): CsvCell[] {
  const { time, handshake, process, message } = event;
  const who = handshake ? handshake.process : process;
  const valid = epochMs(time) !== null;
  return [
    // Plaso writes zeros for what is no date.
    valid ? `${time.slice(5, 7)}/${time.slice(8, 10)}/${time.slice(0, 4)}` : '00/00/0000',
    valid ? time.slice(11, 19) : '--:--:--',
    'UTC',
    macb(event),
    handshake ? 'NET' : 'PROC',
    handshake ? 'TLS handshake' : 'Process',
    event.meaning,
    who?.uid == null ? null : String(who.uid),
    host && printable(host),
    message.length > MAX_SHORT ? `${message.slice(0, MAX_SHORT - 3)}...` : message,
    message,
    2,
    // Nothing is an empty cell, where Plaso writes a dash that a spreadsheet would calculate with. One line a cell.
    who?.exe == null ? null : printable(who.exe),
    process?.exeInode,
    event.hits.length === 0 ? null : event.hits.map(hitSentence).join('; '),
    'tlsnap',
    extra(event),
  ];
}

/** A hello is no file: the time is that of its birth, and a process's end that of its last change. */
function macb({ meaning }: TimelineEvent): string {
  return meaning === 'Process exited' ? 'M...' : '...B';
}

function extra({ time, handshake, process }: TimelineEvent): string {
  const facts: [string, string | number | null | undefined][] = handshake
    ? [
        ['time', time],
        ['seq', handshake.seq],
        ['pid', handshake.process?.pid],
        ['role', handshake.role],
        ['transport', handshake.transport],
        ['server_name', handshake.tls?.serverName],
        ['ja3', handshake.fingerprints?.ja3],
        ['ja3s', handshake.fingerprints?.ja3s],
        ['ja4', handshake.fingerprints?.ja4],
      ]
    : [
        ['time', time],
        ['pid', process.pid],
        ['ppid', process.ppid],
        ['sha256', process.exeSha256],
        ['container', process.container?.id],
      ];
  return printable(
    facts
      .filter(([, value]) => value !== null && value !== undefined)
      .map(([name, value]) => `${name}: ${String(value)}`)
      .join('; '),
  );
}

const COLUMNS = [
  ...['date', 'time', 'timezone', 'MACB', 'source', 'sourcetype', 'type', 'user', 'host', 'short', 'desc'],
  ...['version', 'filename', 'inode', 'notes', 'format', 'extra'],
];
/** Plaso's own limit of a short message. */
const MAX_SHORT = 80;
