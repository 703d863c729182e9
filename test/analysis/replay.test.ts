import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { execa } from 'execa';
import fc from 'fast-check';
import { ProcessTimeline } from '../../src/analysis/process-timeline.js';
import type { ReplayEvent } from '../../src/analysis/replay-event.js';
import { replaySnapshot } from '../../src/analysis/replay.js';
import { loadFeeds } from '../../src/intel/load.js';
import { openSnapshot } from '../../src/snapshot/reader.js';
import { testUnless } from '../left-out.js';
import { fixture, reasonAgainstTshark, tsharkFields } from '../pcap/tshark.js';
import { temporaryFolder, timeAt } from '../snapshot/sample.js';
import { IMPORTED, madeHello, makeSnapshot, realHello, type MadeRows } from './made-snapshot.js';

const RUN = join(import.meta.dirname, '../../bin/run.js');

testUnless(reasonAgainstTshark(), 'an import is played hello by hello as tshark reads the capture', async (t) => {
  const output = join(await temporaryFolder(t), 'import.tlsnap.tar.gz');
  await execa(process.execPath, [RUN, 'import', fixture('clients.pcapng'), '--output', output, '--quiet']);
  const { events, summary } = await replayed(output);
  const packets = await tsharkFields(fixture('clients.pcapng'), 'tls.handshake.type == 1', ['tls.handshake.ja3']);
  const expected = packets.flatMap((packet) => packet['tls.handshake.ja3'] ?? []);
  const ja3 = events.flatMap((event) => (event.type === 'handshake' ? (event.fingerprints?.ja3 ?? []) : []));
  t.true(expected.length > 3);
  t.deepEqual(ja3, expected);
  t.is(summary.differing, 0);
  t.is(summary.comparedWithKernel, 0);
});

test('processes appear before and vanish after the hellos of that moment, and the signal that ended one is kept', async (t) => {
  const events = await played(t, {
    handshakes: [madeHello({ at: 10n }), madeHello({ at: 20n }), madeHello({ at: 30n })],
    processes: [
      { pid: 1, firstSeen: timeAt(10n), exited: timeAt(20n), exitCode: 9 },
      { pid: 2, firstSeen: timeAt(25n), exited: null },
      { pid: 3, firstSeen: timeAt(40n), exited: timeAt(41n), exitCode: 256 },
      { pid: 4, firstSeen: null, exited: null },
    ],
  });
  t.deepEqual(events.map(brief), [
    'process 4',
    'process 1',
    'handshake 0',
    'handshake 1',
    'exit 1 9',
    'process 2',
    'handshake 2',
    'process 3',
    'exit 3 256',
  ]);
});

test('whatever the processes of a snapshot say, they come in order of time, and each once', async (t) => {
  const moment = fc.nat({ max: 50 }).map((ns) => timeAt(BigInt(ns)));
  const lives = fc.array(fc.record({ firstSeen: fc.option(moment), exited: fc.option(moment) }), { maxLength: 40 });
  const folder = await temporaryFolder(t);
  let run = 0;
  await fc.assert(
    fc.asyncProperty(lives, async (processes) => {
      const rows = processes.map((life, pid) => ({ ...life, pid }));
      const timeline = await ProcessTimeline.read(
        await openSnapshot(await makeSnapshot(folder, `${run++}`, { processes: rows })),
      );
      const events = [...timeline.until(null)];
      t.deepEqual(
        events.map(({ time }) => time),
        events.map(({ time }) => time).sort(),
      );
      const of = (type: string) => events.filter((event) => event.type === type).map(({ process }) => process.pid);
      t.deepEqual(
        of('process').sort((a, b) => a - b),
        rows.map(({ pid }) => pid),
      );
      t.is(of('exit').length, rows.filter(({ exited }) => exited !== null).length);
    }),
    { numRuns: 30 },
  );
});

test('beyond its bound a process is not told, but counted', async (t) => {
  const processes = Array.from({ length: 500 }, (_, pid) => ({ pid, cmdline: ['x'.repeat(5000)] }));
  const snapshot = await openSnapshot(await makeSnapshot(await temporaryFolder(t), 'many', { processes }));
  const timeline = await ProcessTimeline.read(snapshot, 100_000);
  t.true(timeline.size > 100);
  t.is(timeline.size + timeline.leftOut, 500);
  for (const event of timeline.until(null)) t.true(JSON.stringify(event).length < 3000);
});

test('what was recorded otherwise than the raw bytes say follows its hello, field by field', async (t) => {
  const { message, ja3 } = realHello('curl');
  const genuine = madeHello({ message, kernel: { ja3 } });
  const wrong = 'd41d8cd98f00b204e9800998ecf8427e';
  const events = await played(t, {
    handshakes: [
      genuine,
      { ...genuine, fingerprints: { ...genuine.fingerprints, ja3: wrong } },
      { ...genuine, kernel: { ja3: wrong } },
      { ...genuine, tls: null },
    ],
  });
  const [hello, changed, kernels, without] = events.filter(({ type }) => type === 'handshake');
  t.like(hello, { type: 'handshake', asRecorded: true, asInKernel: true, fingerprints: { ja3 } });
  t.like(changed, { type: 'handshake', seq: 1, asRecorded: false, asInKernel: true, fingerprints: { ja3 } });
  t.like(kernels, { type: 'handshake', seq: 2, asRecorded: true, asInKernel: false });
  t.like(without, { type: 'handshake', seq: 3, asRecorded: false });
  const differences = events.flatMap((event) => (event.type === 'differs' ? event.differences : []));
  t.deepEqual(differences.slice(0, 2), [
    { field: 'fingerprints.ja3', recorded: wrong, derived: ja3 },
    { field: 'kernel.ja3', recorded: wrong, derived: ja3 },
  ]);
  t.like(differences[2], { field: 'tls', recorded: null });
});

test('a timeline that goes back in time, or leaves a number out, differs', async (t) => {
  const events = await played(t, { handshakes: [madeHello({ at: 20n }), madeHello({ at: 10n })] });
  t.deepEqual(
    events.flatMap((event) => (event.type === 'differs' ? event.differences : [])),
    [{ field: 'time', recorded: timeAt(10n), derived: `from ${timeAt(20n)} on` }],
  );
});

test('matches come with the hello and the process that they are of, and a changed fingerprint hides none', async (t) => {
  const { message, ja3 } = realHello('curl');
  const row = madeHello({ message, at: 5n });
  const sha256 = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';
  const folder = await temporaryFolder(t);
  const feed = join(folder, 'feed');
  await writeFile(feed, `${ja3}\n${sha256}\n`);
  const path = await makeSnapshot(folder, 'hit', {
    handshakes: [
      { ...madeHello({ message: realHello('gnutls').message }) },
      { ...row, fingerprints: { ...row.fingerprints, ja3: 'd41d8cd98f00b204e9800998ecf8427e' } },
    ],
    processes: [{ pid: 7, exeSha256: sha256, exeHashedFrom: 'process', firstSeen: timeAt(3n) }],
  });
  const { events, summary } = await replayed(path, [feed]);
  t.deepEqual(events.map(brief), ['handshake 0', 'process 7', 'match sha256', 'handshake 1', 'differs 1', 'match ja3']);
  t.like(summary.hits, { total: 2, low: 1, high: 1 });
});

test('recorded time passes at the speed that was asked for', async (t) => {
  const hellos = [0n, 300_000_000n, 600_000_000n].map((at) => madeHello({ at }));
  const path = await makeSnapshot(await temporaryFolder(t), 'slow', { handshakes: hellos, facts: IMPORTED });
  const times: number[] = [];
  const start = performance.now();
  await replaySnapshot(path, { speed: 2, feeds: [] }, (events) => {
    times.push(...events.map(() => performance.now() - start));
    return Promise.resolve();
  });
  const [first = 0, second = 0, third = 0] = times;
  t.is(times.length, 3);
  // Never early; how late is the machine's business.
  t.true(second - first >= 145, `${second - first} ms`);
  t.true(third - first >= 295, `${third - first} ms`);
});

async function played(t: ExecutionContext, rows: MadeRows): Promise<ReplayEvent[]> {
  return (await replayed(await makeSnapshot(await temporaryFolder(t), 'made', rows))).events;
}

async function replayed(path: string, feedFiles: string[] = []) {
  const events: ReplayEvent[] = [];
  const feeds = await loadFeeds(feedFiles, {});
  const summary = await replaySnapshot(path, { speed: Infinity, feeds }, (some) => {
    events.push(...some);
    return Promise.resolve();
  });
  return { events, summary };
}

function brief(event: ReplayEvent): string {
  switch (event.type) {
    case 'process':
      return `process ${event.process.pid}`;
    case 'exit':
      return `exit ${event.process.pid} ${event.exitCode}`;
    case 'match':
      return `match ${event.hit.indicator.type}`;
    default:
      return `${event.type} ${event.seq}`;
  }
}
