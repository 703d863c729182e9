import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { csvRenderer } from '../../src/report/csv.js';
import { Report } from '../../src/report/report.js';
import { openSnapshot } from '../../src/snapshot/reader.js';
import { writeHostileSnapshot } from '../report/hostile-snapshot.js';
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

async function longSnapshot(t: ExecutionContext, write: typeof writeHostileSnapshot | typeof writeSample) {
  const folder = await temporaryFolder(t);
  const { path } = await write(folder, { handshakes: HANDSHAKES });
  const { manifest } = await openSnapshot(path);
  const size = manifest.members.find((member) => member.path === 'handshakes.ndjson')?.size ?? 0;
  t.true(size > 32 * 1024 * 1024, `${size} bytes`);
  return { folder, path };
}
