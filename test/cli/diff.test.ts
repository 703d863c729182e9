import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { parse } from 'csv-parse/sync';
import { madeHello, makeSnapshot, realHello } from '../analysis/made-snapshot.js';
import { temporaryFolder } from '../snapshot/sample.js';
import { runCli } from './run-cli.js';

test('a snapshot has no difference from itself, and exits 0', async (t) => {
  const { before } = await pair(t);
  const { exitCode, stdout, stderr } = await runCli(['diff', before, before]);
  t.is(exitCode, 0);
  t.is(stdout, '');
  t.regex(stderr, /^no difference$/m);
});

test('a difference exits 1 and is told as a table, as CSV and as JSON', async (t) => {
  const { before, after } = await pair(t);
  const table = await runCli(['diff', before, after]);
  t.is(table.exitCode, 1);
  t.regex(table.stdout, /! +medium +unusual-executable +\/tmp\/dropper talks TLS/);
  t.regex(table.stdout, /\+ +executable +\/tmp\/dropper +\/tmp\/dropper \(4242\)/);
  t.regex(table.stderr, /^\d+ new, \d+ gone, 0 changed; 1 new finding$/m);
  const csv = await runCli(['diff', before, after, '--format', 'csv', '--quiet']);
  t.is(csv.exitCode, 1);
  t.is(csv.stderr, '');
  const rows = parse<Record<string, string>>(`${csv.stdout}\n`, { columns: true });
  t.true(
    rows.some(
      ({ change, category, value }) => change === 'new' && category === 'executable' && value === '/tmp/dropper',
    ),
  );
  t.true(
    rows.some(({ category, confidence, seq }) => category === 'finding' && confidence === 'medium' && seq === '0'),
  );
  for (const flags of [['--format', 'json'], ['--json']]) {
    const json = await runCli(['diff', before, after, ...flags]);
    t.is(json.exitCode, 1);
    const { differences, findings } = JSON.parse(json.stdout) as { differences: object[]; findings: object[] };
    t.is(differences.length + findings.length, rows.length);
  }
});

test('a feed hit in AFTER exits 1, also where nothing differs', async (t) => {
  const { folder, before } = await pair(t);
  const feed = join(folder, 'feed');
  await writeFile(feed, `${realHello('curl').ja3}\n`);
  const { exitCode, stderr } = await runCli(['diff', before, before, '--feed', feed]);
  t.is(exitCode, 1);
  t.regex(stderr, /^1 feed hit in /m);
});

test('what is no snapshot exits 65, and one snapshot alone exits 2', async (t) => {
  const { before } = await pair(t);
  t.is((await runCli(['diff', before, import.meta.filename])).exitCode, 65);
  t.is((await runCli(['diff', before])).exitCode, 2);
});

async function pair(t: ExecutionContext): Promise<{ folder: string; before: string; after: string }> {
  const folder = await temporaryFolder(t);
  const snapshot = (name: string, client: string, exe: string): Promise<string> =>
    makeSnapshot(folder, name, {
      handshakes: [madeHello({ message: realHello(client).message, process: { exe } })],
      processes: [{ exe }],
    });
  return {
    folder,
    before: await snapshot('before', 'curl', '/usr/bin/curl'),
    after: await snapshot('after', 'gnutls', '/tmp/dropper'),
  };
}
