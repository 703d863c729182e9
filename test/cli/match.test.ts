import { mkdtemp, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { parse } from 'csv-parse/sync';
import { execa } from 'execa';
import { oneTimeSigner } from '../../src/snapshot/signer.js';
import { SnapshotWriter } from '../../src/snapshot/writer.js';
import { factsOf, handshakeAt, temporaryFolder, writeSample } from '../snapshot/sample.js';

const PROJECT = resolve(import.meta.dirname, '../..');

test('a hit exits 1 and is told with feed, line, confidence and why', async (t) => {
  const { folder, snapshot, ja3 } = await sample(t);
  const feed = join(folder, 'list');
  await writeFile(feed, `# mine\n${ja3} # seen before\n`);
  const { stdout, stderr, exitCode } = await match([snapshot, '--feed', feed, '--format', 'ndjson']);
  t.is(exitCode, 1);
  const hits = stdout.split('\n').map((line) => JSON.parse(line) as Record<string, unknown>);
  t.is(hits.length, 3);
  t.like(hits[0], {
    snapshot,
    feed,
    confidence: 'low',
    event: 0,
    indicator: { type: 'ja3', value: ja3, line: 2, description: 'seen before' },
    process: { pid: 4242 },
  });
  t.regex(stderr, /3 hits: 0 high, 0 medium, 3 low; compared 3 handshakes and \d+ executables? with 1 indicator/);
});

test('no match exits 0 and still says what was compared, what was not, and what was never seen', async (t) => {
  const { snapshot } = await sample(t);
  const args = [snapshot, '--feed', join(PROJECT, 'fixtures/feeds/misp-event.json')];
  const { stdout, stderr, exitCode } = await match(args);
  t.is(exitCode, 0);
  t.is(stdout, '');
  t.regex(stderr, /^no match; compared 3 handshakes/m);
  t.regex(stderr, /1 entry not understood/);
  t.regex(stderr, /not compared: 1 ja4s, not supported: licence/);
  t.regex(stderr, /did not see all: .*1 socket older than the window/);
  const json = JSON.parse((await match([...args, '--json'])).stdout) as Record<string, unknown>;
  t.like(json, { compared: { handshakes: 3 }, hits: [], hitsLeftOut: 0 });
});

test('names that an attacker chose reach neither the terminal nor a spreadsheet as they are', async (t) => {
  const { folder, snapshot, ja3 } = await sample(t, "=cmd|' /C calc'!A0");
  const feed = join(folder, 'list');
  await writeFile(feed, `${ja3}\n`);
  const shown = await match([snapshot, '--feed', feed]);
  // The sample's process is named cu ESC [31mrl.
  t.false(shown.stdout.includes('\u001b'));
  const csv = await match([snapshot, '--feed', feed, '--format', 'csv']);
  const [row] = parse<Record<string, string>>(csv.stdout, { columns: true });
  t.is(row?.['exe'], "'=cmd|' /C calc'!A0");
  t.is(csv.exitCode, 1);
});

test('several snapshots and feeds are compared at once', async (t) => {
  const { folder, snapshot, ja3 } = await sample(t);
  const other = join(folder, 'other.tlsnap.tar.gz');
  await writeSample(folder, { output: other, handshakes: 2 });
  const feeds = [join(folder, 'one'), join(folder, 'two')];
  for (const feed of feeds) await writeFile(feed, `${ja3}\n`);
  const { stdout } = await match([snapshot, other, '--feed', feeds[0] ?? '', '--feed', feeds[1] ?? '', '--json']);
  const { hits } = JSON.parse(stdout) as { hits: { snapshot: string; feed: string }[] };
  t.is(hits.length, 2 * (3 + 2));
});

test('--as makes hashes of a plain list JA3S for every command that takes feeds, and then no JA3 hits', async (t) => {
  const { folder, snapshot, ja3 } = await sample(t);
  const feed = join(folder, 'list');
  await writeFile(feed, `${ja3}\n`);
  const commands = [
    ['match'],
    ['report', '--format', 'csv', '--output', join(folder, 'x')],
    ['replay'],
    ['diff', snapshot],
  ];
  for (const [at, command] of commands.entries()) {
    for (const [as, total] of [
      ['ja3', 3],
      ['ja3s', 0],
    ] as const) {
      // prettier-ignore
      const args = command.map((arg) => (arg === join(folder, 'x') ? `${arg}-${at}-${as}` : arg));
      const run = [join(PROJECT, 'bin/run.js'), ...args, snapshot, '--feed', feed, '--as', as, '--json'];
      const { stdout } = await execa(process.execPath, run, { reject: false, timeout: 60_000 });
      const { hits } = JSON.parse(stdout) as { hits: { total: number } | unknown[] };
      t.is('total' in hits ? hits.total : hits.length, total, `${command[0]} --as ${as}`);
    }
  }
});

test('what is no snapshot exits 65, and without a feed the exit code is 2', async (t) => {
  const feed = join(PROJECT, 'fixtures/feeds/ja3.lst');
  t.is((await match([feed, '--feed', feed])).exitCode, 65);
  const { snapshot } = await sample(t);
  t.is((await match([snapshot])).exitCode, 2);
});

async function sample(t: ExecutionContext, exe = '/usr/bin/curl') {
  const folder = await temporaryFolder(t);
  const snapshot = join(folder, 'sample.tlsnap.tar.gz');
  const writer = SnapshotWriter.create({ output: snapshot, staging: await mkdtemp(join(folder, 'staging-')) });
  const row = handshakeAt(0n);
  for (let at = 0n; at < 3n; at++) {
    const { process, ...rest } = handshakeAt(at);
    writer.handshakes.add(at, { ...rest, process: process && { ...process, exe } });
  }
  // As an import: a live snapshot has a host too.
  await writer.finish({ ...factsOf(3), source: 'pcap', host: null, clocks: null }, oneTimeSigner());
  writer.close();
  return { folder, snapshot, ja3: row.fingerprints?.ja3 ?? '' };
}

function match(args: string[]) {
  return execa(process.execPath, [join(PROJECT, 'bin/run.js'), 'match', ...args], { reject: false, timeout: 60_000 });
}
