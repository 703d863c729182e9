import { TlsnapError } from '../errors.js';
import { fingerprintEntries, kernelRecords, RecordError, type KernelRecord } from '../native/records.js';
import type { Counters } from '../native/session.js';
import type { Host } from '../snapshot/schema/host.js';
import type { SnapshotWriter } from '../snapshot/writer.js';
import { BlindSpots } from './blind-spots.js';
import { FingerprintTable } from './fingerprint-table.js';
import { CENTURY_NS, NoteReader } from './note-check.js';
import type { EndNote, StartNote } from './notes.js';
import { ProcessTable } from './process-table.js';
import { SocketOwners } from './socket-owners.js';
import { FRAME } from './spool.js';
import { placeOf, SpoolReader } from './spool-reader.js';

/** All that the spool says but the hellos. */
export interface Gathered {
  readonly start: StartNote;
  readonly end: EndNote | null;
  readonly counters: Counters | null;
  /** As read last: after the window, or before it where the capture was killed. */
  readonly host: Host;
  readonly limits: readonly string[];
  /** Our programs that were on their hooks no longer when they were looked at last. */
  readonly detached: readonly string[];
  readonly table: ProcessTable;
  readonly owners: SocketOwners;
  readonly fingerprints: FingerprintTable;
  readonly blindSpots: BlindSpots;
  /** Connections that --rehandshake closed. */
  readonly closedSockets: number;
  readonly spool: SpoolReader;
  /** Frames whose links are right, and which hold something else than a capture writes. */
  readonly unreadable: number;
  /** CLOCK_BOOTTIME of the last record, for a capture that could not write its end. */
  readonly lastBootTimeNs: bigint;
}

/** To whom the capture that left this spool was to encrypt its snapshot. */
export function askedRecipients(directory: string): readonly string[] {
  return startOf(directory)?.encryptTo ?? [];
}

/** The first note of a spool; null where there is none that can be read. */
export function startOf(directory: string): StartNote | null {
  for (const { kind, payload } of new SpoolReader(directory).frames()) {
    if (kind !== FRAME.note) break;
    const note = new NoteReader().read(payload);
    return note?.note === 'start' ? note : null;
  }
  return null;
}

/** The records of a frame as far as they are whole. */
export function wholeRecords(payload: Buffer, onUnreadable: () => unknown): Generator<KernelRecord> {
  return whole(kernelRecords(payload), onUnreadable);
}

function* whole<Entry>(entries: Iterable<Entry>, onUnreadable: () => unknown): Generator<Entry> {
  try {
    yield* entries;
  } catch (error) {
    if (!(error instanceof RecordError)) throw error;
    onUnreadable();
  }
}

/** Reads a spool once. Sockets and actions go straight into the writer; the rest is small enough to be kept. */
export function gather(directory: string, writer: SnapshotWriter): Gathered {
  const spool = new SpoolReader(directory);
  const table = new ProcessTable();
  const owners = new SocketOwners();
  const fingerprints = new FingerprintTable();
  const found = { start: null as StartNote | null, end: null as EndNote | null, counters: null as Counters | null };
  const limits: string[] = [];
  let detached: readonly string[] = [];
  let host: Host | null = null;
  const blindSpots = new BlindSpots();
  let closedSockets = 0;
  let lastBootTimeNs = 0n;
  const unreadable: string[] = [];
  const notes = new NoteReader();
  const giveUp = (): number => unreadable.push(spool.place);
  for (const { kind, payload } of spool.frames()) {
    if (kind === FRAME.kernel) {
      for (const record of wholeRecords(payload, giveUp)) {
        if (record.bootTimeNs < CENTURY_NS) lastBootTimeNs = record.bootTimeNs;
        if (record.type === 'process') table.kernel(record);
        else if (record.type === 'exit') table.exit(record);
      }
      continue;
    }
    if (kind === FRAME.fingerprints) {
      fingerprints.dumped(whole(fingerprintEntries(payload), giveUp));
      continue;
    }
    const note = kind === FRAME.note ? notes.read(payload) : null;
    switch (note?.note) {
      case undefined:
        giveUp();
        break;
      case 'start':
        found.start = note;
        break;
      case 'process':
        table.read(note.row);
        break;
      case 'sockets':
        for (const row of note.rows) {
          writer.sockets.add(row);
          owners.add(row);
          blindSpots.socket(row);
        }
        break;
      case 'cgroups':
        for (const [id, path] of Object.entries(note.paths)) table.cgroup(BigInt(id), path);
        break;
      case 'host':
        host = note.host;
        break;
      case 'action':
        writer.actions.add(note.action);
        if (note.action.action === 'socket-closed') closedSockets++;
        break;
      case 'counters':
        found.counters = note.counters;
        break;
      case 'limit':
        limits.push(note.text);
        break;
      case 'detached':
        detached = note.programs;
        break;
      case 'end':
        found.end = note;
    }
  }
  if (!found.start) {
    const why = spool.broken ? ` (${placeOf(spool.broken)}: ${spool.broken.reason})` : '';
    throw new TlsnapError('input', directory, `holds no start of a capture${why}`, [
      'Nothing can be recovered from it.',
    ]);
  }
  if (unreadable.length > 0) {
    limits.push(`${unreadable.length} frames of the spool hold what no capture writes, the first at ${unreadable[0]}.`);
  }
  return {
    ...found,
    start: found.start,
    host: host ?? found.start.host,
    limits,
    detached,
    table,
    owners,
    fingerprints,
    blindSpots,
    closedSockets,
    spool,
    unreadable: unreadable.length,
    lastBootTimeNs,
  };
}
