import { type CsvCell, csvText } from '../csv.js';
import type { ReplayEvent, ReplayOutput } from './replay-event.js';
import { ReplayTable } from './replay-table.js';

export const REPLAY_FORMATS = ['table', 'ndjson', 'csv'] as const;
export type ReplayFormat = (typeof REPLAY_FORMATS)[number];

/** `width` and `color` are the table's: the columns of the terminal, `null` where nothing shall be shortened. */
export function replayOutput(format: ReplayFormat, width: number | null, color: boolean): ReplayOutput {
  switch (format) {
    case 'table':
      return new ReplayTable(width, color);
    case 'ndjson':
      return { head: '', text: (events) => events.map((event) => `${JSON.stringify(event)}\n`).join('') };
    case 'csv':
      return { head: csvText([CSV_COLUMNS]), text: (events) => csvText(events.map(csvRow)) };
  }
}

function csvRow(event: ReplayEvent): CsvCell[] {
  const cells = csvCells(event);
  return CSV_COLUMNS.map((column) => cells[column]);
}

function csvCells(event: ReplayEvent): Partial<Record<CsvColumn, CsvCell>> {
  const { type, time } = event;
  switch (event.type) {
    case 'process':
    case 'exit': {
      const { pid, startTimeNs, ppid, uid, comm, exe, exeSha256, cmdline } = event.process;
      const who = { pid, start_time_ns: startTimeNs, ppid, uid, comm, exe, exe_sha256: exeSha256 };
      const exit = event.type === 'exit' ? event.exitCode : null;
      return { type, time, ...who, cmdline: cmdline && JSON.stringify(cmdline), exit_code: exit };
    }
    case 'handshake': {
      const { seq, kind, role, transport, flow, process, tls, fingerprints } = event;
      return {
        ...{ type, time, seq, kind, role, transport },
        ...{ src: flow.src, src_port: flow.srcPort, dst: flow.dst, dst_port: flow.dstPort },
        ...{ pid: process?.pid, start_time_ns: process?.startTimeNs, ppid: process?.ppid, uid: process?.uid },
        ...{ comm: process?.comm, exe: process?.exe },
        ...{ version: tls?.version, server_name: tls?.serverName, alpn: tls?.alpn.join(' ') },
        ...{ ja3: fingerprints?.ja3, ja4: fingerprints?.ja4, ja3s: fingerprints?.ja3s },
        ...{ as_recorded: event.asRecorded, as_in_kernel: event.asInKernel, error: event.error },
      };
    }
    case 'differs':
      return { type, time, seq: event.seq, detail: JSON.stringify(event.differences) };
    case 'match': {
      const { event: seq, confidence, feed, indicator, why, process, kind, serverName } = event.hit;
      return {
        ...{ type, time, seq, kind, pid: process?.pid, start_time_ns: process?.startTimeNs },
        ...{ comm: process?.comm, exe: process?.exe, server_name: serverName },
        ...{ confidence, feed, feed_line: indicator.line, indicator_type: indicator.type, indicator: indicator.value },
        ...{ description: indicator.description, detail: why.join('; ') },
      };
    }
  }
}

const CSV_COLUMNS = [
  ...(['type', 'time', 'seq', 'kind', 'role', 'transport', 'src', 'src_port', 'dst', 'dst_port'] as const),
  ...(['pid', 'start_time_ns', 'ppid', 'uid', 'comm', 'exe', 'exe_sha256', 'cmdline', 'exit_code'] as const),
  ...(['version', 'server_name', 'alpn', 'ja3', 'ja4', 'ja3s', 'as_recorded', 'as_in_kernel', 'error'] as const),
  ...(['confidence', 'feed', 'feed_line', 'indicator_type', 'indicator', 'description', 'detail'] as const),
];
type CsvColumn = (typeof CSV_COLUMNS)[number];
