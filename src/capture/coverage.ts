import { counted } from '../counted.js';
import type { Counters } from '../native/session.js';
import type { SnapshotFacts } from '../snapshot/schema/manifest.js';
import type { Gathered } from './gather.js';
import { hostDoubts } from './host-doubts.js';
import { scopeNotes } from './socket-scope.js';

/** What came out of the spool. */
export interface Tally {
  rows: number;
  /** Hellos of accepted connections that turned out to be of no process in scope. */
  filtered: number;
  truncated: number;
  /** Connections that were given up before all of them was there: see HelloAssembly. */
  retired: number;
  /** Hellos whose digests by the kernel are not those of their bytes. */
  disagreements: number;
  /** Rows, and `host.json`, of which lists were cut because they were too long. */
  shortened: number;
  /** Those that were too long even so. */
  leftOut: number;
}

type Coverage = SnapshotFacts['coverage'];

/** What the window saw and what it did not, so that "no match" means something. */
export function coverageOf(gathered: Gathered, tally: Tally): Coverage {
  const { counters, start, end, spool, unreadable, limits, detached, blindSpots } = gathered;
  const reconciliation = counters && end ? reconcile(counters, tally) : null;
  const gap = reconciliation
    ? reconciliation.seen - reconciliation.kept - reconciliation.filtered - reconciliation.lost
    : 0;
  return {
    events: tally.rows,
    lossesByKind: {
      ...(counters && lossesOf(counters)),
      ...(spool.broken && { 'spool.bytes': spool.broken.bytesLost }),
      ...(unreadable > 0 && { 'spool.frames-unreadable': unreadable }),
      ...(tally.disagreements > 0 && { 'kernel.ja3-disagreements': tally.disagreements }),
      ...(gap > 0 && { 'spool.hellos-unaccounted': gap }),
      ...(detached.length > 0 && { 'kernel.programs-detached': detached.length }),
      ...(tally.leftOut > 0 && { 'snapshot.rows-too-long': tally.leftOut }),
    },
    hellosTruncated: tally.truncated,
    hellosWithoutProcess: blindSpots.ownerless,
    // A hello may have reached a listener whose connection never came to be.
    connectionsWithoutHello: counters && Math.max(0, counters.CONNECTED + counters.ACCEPTED - counters.WITH_HELLO),
    // Nobody listed the sockets when a recorder started.
    socketsOlderThanWindow: start.source === 'recorder' ? null : blindSpots.olderSockets,
    kernelFeaturesMissing: [...start.missing],
    limits: [
      ...limits,
      ...(detached.length > 0 ? [offTheirHooks(detached)] : []),
      ...(tally.retired > 0 ? [tooMany(tally.retired)] : []),
      ...(tally.shortened > 0 ? [cutRows(tally.shortened)] : []),
    ],
    notes: notesOf(gathered, tally),
    redacted: 0,
    reconciliation: reconciliation && { ...reconciliation, lost: reconciliation.lost + gap },
  };
}

/** For a capture that wrote its end: the last counters of a killed one are older than its last records. */
function reconcile(counters: Counters, { rows, filtered }: Tally): NonNullable<Coverage['reconciliation']> {
  const counted = counters.CLIENT_HELLOS + counters.SERVER_HELLOS;
  const lost = counters.LOST_HELLOS + counters.OVERWRITTEN;
  // A recorder's counters are read before its slots, and hellos that came in between are in the slots only: they were seen
  // too. Of a window that is over there are never more than were counted.
  return { seen: Math.max(counted, rows + filtered + lost), kept: rows, filtered, lost };
}

function tooMany(connections: number): string {
  return `${connections} connections were given up before their hellos were whole and their processes known, because too many newer ones came: their hellos may be cut, or have no process.`;
}

function offTheirHooks(programs: readonly string[]): string {
  return `${programs.join(', ')} had been taken off, or the cgroup was removed: what they would have seen since is not in any sum.`;
}

function cutRows(rows: number): string {
  return `The longest lists of ${counted(rows, 'row')} were cut, because a row or document was too long for the format.`;
}

function lossesOf(counters: Counters): Record<string, number> {
  const losses = {
    'ring.hellos': counters.LOST_HELLOS,
    'ring.hellos-cut': counters.CUT_HELLOS,
    // Of a lost or cut hello one chunk is counted. The others came ahead of a hello's beginning, or say who owns a connection.
    'ring.chunks': counters.LOST_CHUNKS - counters.LOST_HELLOS - counters.CUT_HELLOS,
    'ring.processes': counters.LOST_PROCESSES,
    'ring.exits': counters.LOST_EXITS,
    'ring.joins': counters.LOST_ACCEPTED,
    'recorder.hellos-overwritten': counters.OVERWRITTEN,
    'kernel.map-full': counters.MAP_FULL,
    'kernel.processes-unscoped': counters.UNSCOPED,
    'kernel.connections-untracked': counters.UNTRACKED,
    'kernel.segments-unreadable': counters.LOST_SEGMENTS,
    'kernel.segments-unplaced': counters.UNBASED,
  };
  return Object.fromEntries(Object.entries(losses).filter(([, count]) => count > 0));
}

function notesOf(
  { start: { cgroup, scope, source }, counters, closedSockets, host }: Gathered,
  tally: Tally,
): string[] {
  const notes = ['QUIC and DTLS are not seen live: only TLS over TCP.', ...scopeNotes(cgroup, scope)];
  if (source === 'recorder') notes.push('An exec is seen when the process connects or answers the next time.');
  if (counters && counters.FILTERED > 0)
    notes.push(`${counters.FILTERED} connections, or attempts at one, were left out because they are not in scope.`);
  if (tally.filtered > 0) {
    notes.push(`${tally.filtered} hellos were left out because no process in scope answered them.`);
  }
  if (counters && counters.EXHAUSTED > 0) {
    notes.push(
      `${counters.EXHAUSTED} directions of connections were given up after 24 data segments without a hello, or behind a gap.`,
    );
  }
  if (closedSockets > 0) notes.push(`${closedSockets} connections were closed by --rehandshake: see actions.ndjson.`);
  return [...notes, ...hostDoubts(host)];
}
