import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { parse } from 'csv-parse/sync';
import { csvRenderer } from '../../src/report/csv.js';
import { Report } from '../../src/report/report.js';
import { openSnapshot } from '../../src/snapshot/reader.js';
import { HOSTILE_NAMES, writeHostileSnapshot } from '../report/hostile-snapshot.js';
import { linesOf, membersOf, packedBytes, replaced } from '../snapshot/repack.js';
import { temporaryFolder, writeSample } from '../snapshot/sample.js';
import { runCli } from './run-cli.js';

// A timeline that is long enough for its lines to be rendered by a thread of their own.

const HANDSHAKES = 30_000;

test('by a thread of its own a long report is the one that is made where it is read', async (t) => {
  const { folder, path } = await longSnapshot(t, writeHostileSnapshot);
  const output = join(folder, 'long.csv');
  const { exitCode, stdout, stderr } = await runCli(['report', path, '--format', 'csv', '--output', output, '--json']);
  t.is(exitCode, 0, stderr);
  t.like(JSON.parse(stdout), { rows: { handshakes: HANDSHAKES } });
  let expected = '';
  const report = new Report(await openSnapshot(path), csvRenderer('handshakes'), []);
  for await (const chunk of report.chunks()) expected += Buffer.from(chunk).toString();
  t.true(expected === (await readFile(output, 'utf8')));
});

test('with a feed a long report has a hit in each row that match names, and in no other', async (t) => {
  const names = [...HOSTILE_NAMES, 'c2.example'];
  const { folder, path } = await longSnapshot(t, (into, options) => writeHostileSnapshot(into, { ...options, names }));
  const [feed, output] = [join(folder, 'feed.txt'), join(folder, 'long.csv')];
  await writeFile(feed, 'c2.example\n');
  const report = ['report', path, '--format', 'csv', '--feed', feed, '--output', output, '--json'];
  const { exitCode, stdout, stderr } = await runCli(report);
  t.is(exitCode, 1, stderr);
  const matched = await runCli(['match', path, '--feed', feed, '--format', 'ndjson']);
  const events = linesIn(matched.stdout).map((line) => (JSON.parse(line) as { event: number }).event);
  t.is(events.length, Math.floor(HANDSHAKES / names.length));
  t.like(JSON.parse(stdout), { rows: { handshakes: HANDSHAKES }, hits: { total: events.length } });
  const rows = parse<Record<string, string>>(await readFile(output), { columns: true });
  t.is(rows.length, HANDSHAKES);
  t.deepEqual(
    rows.filter((row) => row['hits'] !== '').map((row) => Number(row['seq'])),
    events,
  );
});

test('the first line that no snapshot has is named in a long one too, and nothing is left behind', async (t) => {
  const { folder, path } = await longSnapshot(t, writeSample);
  const members = await membersOf(path);
  // All behind it are broken as well, whichever thread renders them.
  const lines = linesOf(members).map((line, at) =>
    at < 20_000 ? line : line.replace('"kind":"client"', '"kind":"neither"'),
  );
  const changed = join(folder, 'changed.tlsnap.tar.gz');
  const output = join(folder, 'changed.csv');
  await writeFile(changed, await packedBytes(replaced(members, { 'handshakes.ndjson': lines.join('') })));
  const { exitCode, stderr } = await runCli(['report', changed, '--format', 'csv', '--output', output]);
  t.is(exitCode, 65, stderr);
  t.regex(stderr, /handshakes\.ndjson[ \n›]+line 20001: /);
  await t.throwsAsync(readFile(output), { code: 'ENOENT' });
});

function linesIn(text: string): string[] {
  return text.split('\n').filter((line) => line !== '');
}

async function longSnapshot(t: ExecutionContext, write: WriteSnapshot) {
  const folder = await temporaryFolder(t);
  const { path } = await write(folder, { handshakes: HANDSHAKES });
  const { manifest } = await openSnapshot(path);
  const size = manifest.members.find((member) => member.path === 'handshakes.ndjson')?.size ?? 0;
  t.true(size > 32 * 1024 * 1024, `${size} bytes`);
  return { folder, path };
}

type WriteSnapshot = (folder: string, options: { handshakes: number }) => Promise<{ readonly path: string }>;
