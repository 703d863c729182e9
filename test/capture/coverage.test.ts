import { join } from 'node:path';
import { rmSync } from 'node:fs';
import test from 'ava';
import fc from 'fast-check';
import { compose, type Composed } from '../../src/capture/compose.js';
import { coverageBlock } from '../../src/capture/coverage-block.js';
import type { StartNote } from '../../src/capture/notes.js';
import { SpoolWriter } from '../../src/capture/spool-writer.js';
import { CHUNK_FLAGS } from '../../src/native/layout.js';
import type { Counters } from '../../src/native/session.js';
import { oneTimeSigner } from '../../src/snapshot/signer.js';
import { verifySnapshot } from '../../src/snapshot/verify.js';
import { SOCKET, temporaryFolder } from '../snapshot/sample.js';
import { appendHello, appendNote, countersOf, END, RECORD, START } from './made-spool.js';

// What becomes of a hello between the kernel and the file. The expected sums are counted while the hellos are made up.

/** Each with what the kernel counts of it, beside the hello itself, and what must become of it. */
const FATES = {
  whole: { counted: {}, becomes: 'kept' },
  'cut by a full ring': { counted: { CUT_HELLOS: 1 }, becomes: 'kept' },
  'of a server that never answered': { counted: {}, becomes: 'kept or filtered' },
  'lost in a full ring': { counted: { LOST_HELLOS: 1 }, becomes: 'lost' },
  overwritten: { counted: { OVERWRITTEN: 1 }, becomes: 'lost' },
  'counted, and never come to the spool': { counted: {}, becomes: 'lost' },
} as const;
type Fate = keyof typeof FATES;

const fates = fc.array(fc.constantFrom(...(Object.keys(FATES) as Fate[])), { maxLength: 30 });

test('seen = kept + filtered + lost, whatever becomes of the hellos and however the capture ends', async (t) => {
  const folder = await temporaryFolder(t);
  await fc.assert(
    fc.asyncProperty(
      fates,
      fc.constantFrom<StartNote['source']>('live', 'recorder'),
      fc.boolean(),
      fc.nat({ max: 3 }),
      async (made, source, subtree, uncounted) => {
        const scope = { ...START.scope, pid: subtree ? 1 : null };
        const { snapshot } = await composed(folder, (spool) => {
          appendNote(spool, { ...START, source, scope });
          made.forEach((fate, number) => appendFate(spool, fate, number));
          // A recorder's counters are read before its slots are.
          appendNote(spool, { note: 'counters', counters: countersFor(made, source === 'recorder' ? uncounted : 0) });
          appendNote(spool, { ...END, endedBy: source === 'recorder' ? 'dump' : 'elapsed' });
        });
        const { events, reconciliation, lossesByKind } = snapshot.manifest.coverage;
        const becoming = (what: string) => made.filter((fate) => FATES[fate].becomes === what).length;
        const silent = becoming('kept or filtered');
        const kept = becoming('kept') + (subtree ? 0 : silent);
        const filtered = subtree ? silent : 0;
        t.is(events, kept);
        t.is(reconciliation?.kept, kept);
        t.is(reconciliation?.filtered, filtered);
        t.is(reconciliation?.seen, kept + filtered + (reconciliation?.lost ?? 0));
        if (source === 'live') {
          t.is(reconciliation?.lost, becoming('lost'));
          const byKind = ['ring.hellos', 'recorder.hellos-overwritten', 'spool.hellos-unaccounted'];
          t.is(
            byKind.reduce((sum, kind) => sum + (lossesByKind[kind] ?? 0), 0),
            becoming('lost'),
          );
        }
        t.is(lossesByKind['ring.hellos-cut'] ?? 0, made.filter((fate) => fate === 'cut by a full ring').length);
        t.true((await verifySnapshot(snapshot.path)).ok);
        rmSync(snapshot.path);
      },
    ),
    { numRuns: 100 },
  );
});

test('of a killed capture no sum is made up: its losses are those that were counted last, and that is said', async (t) => {
  const made = await composed(await temporaryFolder(t), (spool) => {
    appendNote(spool, START);
    appendHello(spool, 0);
    appendNote(spool, { note: 'counters', counters: countersFor(['whole', 'lost in a full ring'], 0) });
    appendHello(spool, 1);
  });
  const { coverage } = made.snapshot.manifest;
  t.is(coverage.reconciliation, null);
  t.is(coverage.events, 2);
  t.deepEqual(coverage.lossesByKind, { 'ring.hellos': 1 });
  t.true(coverageBlock(made).includes('seen        not known: killed, the capture could not count to its end'));
});

test('each loss has its kind, and a window without one says none', async (t) => {
  const folder = await temporaryFolder(t);
  const kinds: Partial<Record<keyof Counters, string>> = {
    LOST_HELLOS: 'ring.hellos',
    CUT_HELLOS: 'ring.hellos-cut',
    LOST_PROCESSES: 'ring.processes',
    LOST_EXITS: 'ring.exits',
    LOST_ACCEPTED: 'ring.joins',
    OVERWRITTEN: 'recorder.hellos-overwritten',
    MAP_FULL: 'kernel.map-full',
    UNSCOPED: 'kernel.processes-unscoped',
    UNTRACKED: 'kernel.connections-untracked',
    LOST_SEGMENTS: 'kernel.segments-unreadable',
  };
  for (const [counter, kind] of Object.entries(kinds)) {
    const made = await counted(folder, { [counter]: 7, CLIENT_HELLOS: 7 });
    t.is(made.snapshot.manifest.coverage.lossesByKind[kind], 7, counter);
    t.true(
      coverageBlock(made).some((line) => line.startsWith('losses      ') && line.includes(`7 ${kind}`)),
      kind,
    );
  }
  const none = await counted(folder, {});
  t.deepEqual(none.snapshot.manifest.coverage.lossesByKind, {});
  t.true(coverageBlock(none).includes('losses      none'));
});

test('connections older than the window are listed by who holds them, those beyond this host first', async (t) => {
  const older = (comm: string, pid: number, address: string, port: number) => ({
    ...SOCKET,
    state: 'ESTABLISHED' as const,
    remote: { address, port },
    owners: [{ pid, startTimeNs: null, comm, exe: null }],
  });
  const made = await composed(await temporaryFolder(t), (spool) => {
    appendNote(spool, START);
    const local = Array.from({ length: 30 }, (_, index) => older('db', 100 + index, '127.0.0.1', 5000 + index));
    appendNote(spool, { note: 'sockets', rows: [SOCKET, ...local] });
    const beacon = older('evil\u001b[2J', 66, '203.0.113.9', 443);
    const shared = { ...beacon, owners: [1, 2, 3, 4].map((pid) => ({ pid, startTimeNs: null, comm: 'w', exe: null })) };
    const rows = [older('sshd', 7, '198.51.100.1', 1), older('sshd', 7, '198.51.100.1', 2), beacon, shared];
    appendNote(spool, { note: 'sockets', rows: [...rows, { ...beacon, owners: [] }, { ...beacon, when: 'end' }] });
    appendNote(spool, { note: 'counters', counters: countersOf({}) });
    appendNote(spool, END);
  });
  t.is(made.snapshot.manifest.coverage.socketsOlderThanWindow, 35);
  const lines = coverageBlock(made).filter((line) => line.startsWith('older'));
  t.deepEqual(lines.slice(0, 5), [
    'older       sshd (7) with 198.51.100.1, 2 connections',
    'older       evil\u001b[2J (66) with 203.0.113.9',
    'older       nobody known with 203.0.113.9',
    'older       w (1), w (2), w (3), ... with 203.0.113.9',
    'older       db (100) with 127.0.0.1',
  ]);
  t.is(lines.length, 11);
  t.is(lines.at(-1), 'older       and 24 more: tlsnap report SNAPSHOT --format csv --table sockets has all');
});

test('hellos of nobody are listed with their ends, name and time, and how many more there are', async (t) => {
  const made = await composed(await temporaryFolder(t), (spool) => {
    appendNote(spool, START);
    for (let number = 0; number < 13; number++) appendHello(spool, number, NOBODYS);
    appendNote(spool, { note: 'counters', counters: countersOf({ CLIENT_HELLOS: 13 }) });
    appendNote(spool, END);
  });
  const { coverage } = made.snapshot.manifest;
  t.is(coverage.hellosWithoutProcess, 13);
  const lines = coverageBlock(made).filter((line) => line.startsWith('no process'));
  t.is(lines.length, 11);
  // The address of the sender first: the record is of the end that it reached.
  t.regex(
    lines[0] ?? '',
    /^no process {2}client hello from 127\.0\.0\.2:443 to 127\.0\.0\.1:40000, example\.org, at 2026-11-22T09:20:09\.\d{9}Z$/,
  );
  t.is(lines.at(-1), 'no process  and 3 more: tlsnap report SNAPSHOT --format csv has all, with none as attribution');
});

/** As it reaches an accepting end whose process never said anything. */
const NOBODYS = { direction: 1, role: 1, ownerPid: 0 } as const;

function appendFate(spool: SpoolWriter, fate: Fate, number: number): void {
  if (fate === 'whole') appendHello(spool, number);
  else if (fate === 'cut by a full ring') appendHello(spool, number, { bytes: RECORD.subarray(0, 40) });
  else if (fate === 'of a server that never answered') appendHello(spool, number, NOBODYS);
  else if (fate === 'counted, and never come to the spool' && number % 2 === 0) {
    // Nor does a chunk that begins in the middle become anything.
    appendHello(spool, number, { bytes: RECORD.subarray(40), streamOffset: 40, flags: CHUNK_FLAGS.CONTINUED });
  }
}

function countersFor(made: readonly Fate[], uncounted: number): Counters {
  const sum = (counter: string) => made.filter((fate) => counter in FATES[fate].counted).length;
  return countersOf({
    CLIENT_HELLOS: Math.max(0, made.length - uncounted),
    LOST_HELLOS: sum('LOST_HELLOS'),
    CUT_HELLOS: sum('CUT_HELLOS'),
    OVERWRITTEN: sum('OVERWRITTEN'),
  });
}

function counted(folder: string, counters: Partial<Counters>): Promise<Composed> {
  return composed(folder, (spool) => {
    appendNote(spool, START);
    appendNote(spool, { note: 'counters', counters: countersOf(counters) });
    appendNote(spool, END);
  });
}

let spools = 0;
async function composed(folder: string, write: (spool: SpoolWriter) => void): Promise<Composed> {
  const directory = join(folder, `${spools++}.spool`);
  const spool = new SpoolWriter(directory);
  write(spool);
  spool.close();
  return compose({ spool: directory, output: `${directory}.out`, signer: SIGNER, encryptTo: [], removesSpool: true });
}

const SIGNER = oneTimeSigner();
