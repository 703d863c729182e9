import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { EndNote, Note, StartNote } from '../../src/capture/notes.js';
import { appendFingerprints } from '../../src/capture/pieces.js';
import { FRAME } from '../../src/capture/spool.js';
import { SpoolWriter } from '../../src/capture/spool-writer.js';
import { COUNTER } from '../../src/native/layout.js';
import { EVERYTHING } from '../../src/native/scope.js';
import type { Counters } from '../../src/native/session.js';
import { emptyProcess } from '../../src/procfs/process-row.js';
import { chunkBytes, type ChunkFields, processBytes } from '../native/sample-records.js';
import { HELLO, HOST, SOCKET, timeAt } from '../snapshot/sample.js';

// The spool of a capture, without a kernel: what the draining thread would have written.

const CLOCKS = { realtime: '1795339208000000000', boottime: '1000000000', monotonic: '900', tai: null, ntp: null };

export const START: StartNote = {
  note: 'start',
  spoolVersion: 1,
  source: 'live',
  toolVersion: '0.1.0',
  case: { case: 'C-1', evidence: null, examiner: null, description: null },
  host: HOST,
  asked: 'PT60S',
  clocks: CLOCKS,
  tier: 'task-btf',
  features: ['tlsnap_sockops'],
  missing: [],
  cgroup: '/',
  scope: EVERYTHING,
  encryptTo: [],
  redact: [],
};

export const END: EndNote = {
  note: 'end',
  endedBy: 'elapsed',
  clocks: { ...CLOCKS, realtime: '1795339268000000000', boottime: '61000000000' },
};

/** The hello of the sample in one TLS record. */
export const RECORD = Buffer.concat([Buffer.from([22, 3, 1, 0, HELLO.length]), HELLO]);

export function countersOf(changes: Partial<Counters>): Counters {
  return { ...(Object.fromEntries(Object.keys(COUNTER).map((name) => [name, 0])) as Counters), ...changes };
}

export function appendNote(spool: SpoolWriter, note: Note): void {
  spool.append(FRAME.note, Buffer.from(JSON.stringify(note)));
}

/** A ClientHello that went out, each with its own connection. */
export function appendHello(spool: SpoolWriter, number: number, fields: Partial<ChunkFields> = {}): void {
  const cookie = BigInt(number + 1);
  spool.append(FRAME.kernel, chunkBytes({ bytes: RECORD, cookie, bootNs: 2_000_000_000n + cookie, ...fields }));
}

/** A whole capture with a note of each kind; segments are short, so that there are several. Returns how many hellos. */
export function writeSpool(directory: string, segmentBytes: number, hellos = 3): void {
  const spool = new SpoolWriter(directory, segmentBytes);
  appendNote(spool, START);
  const task = { pid: 4242, startNs: 1_000_000_007n, comm: 'client' };
  spool.append(FRAME.kernel, processBytes({ ...task, exe: ['client', 'bin'] }));
  appendNote(spool, { note: 'cgroups', paths: { '17': '/x' } });
  appendNote(spool, { note: 'sockets', rows: [SOCKET, { ...SOCKET, state: 'ESTABLISHED', remote: SOCKET.local }] });
  const row = { ...emptyProcess(4242), startTimeNs: '1000000007', comm: 'client', sources: ['proc' as const] };
  appendNote(spool, { note: 'process', row });
  const action = { time: timeAt(0n), action: 'process-read', subject: '4242', detail: null };
  appendNote(spool, { note: 'action', action });
  for (let number = 0; number < hellos; number++) appendHello(spool, number);
  appendNote(spool, { note: 'limit', text: 'a limit' });
  appendFingerprints(spool, Buffer.alloc(0));
  appendNote(spool, {
    note: 'counters',
    counters: countersOf({ CONNECTED: hellos, WITH_HELLO: hellos, CLIENT_HELLOS: hellos }),
  });
  appendNote(spool, { note: 'host', host: HOST });
  appendNote(spool, END);
  spool.close();
}

export interface PlacedFrame {
  readonly segment: string;
  /** In the segment. */
  readonly from: number;
  readonly to: number;
  readonly kind: number;
}

/** The frames of a spool, by the lengths in their headers alone. */
export function framesOf(directory: string): PlacedFrame[] {
  return segmentsOf(directory).flatMap((segment) => {
    const bytes = readFileSync(join(directory, segment));
    const frames: PlacedFrame[] = [];
    for (let from = 0; from < bytes.length;) {
      const to = from + 44 + bytes.readUInt32LE(from + 8);
      frames.push({ segment, from, to, kind: bytes.readUInt8(from + 4) });
      from = to;
    }
    return frames;
  });
}

export function segmentsOf(directory: string): string[] {
  return readdirSync(directory)
    .filter((name) => name.startsWith('segment-'))
    .sort();
}
