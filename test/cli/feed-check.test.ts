import { writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import test from 'ava';
import { execa } from 'execa';
import { feedReport } from '../../src/intel/feed-report.js';
import { summarise } from '../../src/intel/feed-summary.js';
import { loadFeed } from '../../src/intel/load.js';
import { temporaryFolder } from '../snapshot/sample.js';

const PROJECT = resolve(import.meta.dirname, '../..');
const FEEDS = join(PROJECT, 'fixtures/feeds');

test('a feed with a broken line is shown with that line, and exits 1', async (t) => {
  const { stdout, exitCode } = await check('sslbl-ja3.csv');
  t.is(exitCode, 1);
  t.regex(stdout, /abuse\.ch SSLBL JA3 CSV, 4 indicators, newest 2019-07-28/);
  t.regex(stdout, /^10 +its first field is no MD5 +not-a-hash,/m);
});

test('feeds without a broken line exit 0, and JSON tells their digests', async (t) => {
  const { stdout, exitCode } = await check('ja3.lst', 'SHA256SUMS', '--format', 'json');
  t.is(exitCode, 0);
  const { feeds } = JSON.parse(stdout) as { feeds: Record<string, unknown>[] };
  // sha256sum fixtures/feeds/ja3.lst
  t.like(feeds[0], { format: 'plain-list', indicators: 2, problemCount: 0 });
  t.regex(String(feeds[0]?.['sha256']), /^[0-9a-f]{64}$/);
  t.is(feeds.length, 2);
});

test('--json and --format json say the same', async (t) => {
  const one = await check('tls.rules', '--json');
  const other = await check('tls.rules', '--format', 'json');
  t.deepEqual(JSON.parse(one.stdout), JSON.parse(other.stdout));
  t.is(one.exitCode, 1);
  t.is(other.exitCode, 1);
});

test('a file that is no feed exits 65 and says what to do', async (t) => {
  const { stdout, exitCode } = await check('../../package.json', '--json');
  t.is(exitCode, 65);
  t.like(JSON.parse(stdout), { error: { code: 65 } });
  t.regex(stdout, /none of the feed shapes/);
});

// docs/intel.md: each entry that was not understood is listed, up to 100,000 of a feed, and all are counted.
test('every broken line is listed up to 100,000, and how many there are beyond that is said', async (t) => {
  const file = join(await temporaryFolder(t), 'broken.csv');
  const broken = (count: number) =>
    writeFile(file, `# ja3_md5,Firstseen,Lastseen,Listingreason\n${'0'.repeat(32)},2019-01-01 00:00:00,2019-01-01 00:00:00,x\n${'bad,,,\n'.repeat(count)}`); // prettier-ignore
  await broken(1500);
  const { stdout } = await check(file);
  t.is(stdout.split('\n').filter((line) => /^\d+ +its first field is no MD5/.test(line)).length, 1500);
  t.notRegex(stdout, /more not understood/);
  await broken(100_003);
  const summary = summarise(await loadFeed(file));
  t.like(summary, { problemCount: 100_003, problemsLeftOut: 3 });
  t.is(summary.problems.length, 100_000);
  const text = feedReport({ ...summary, problems: summary.problems.slice(0, 1) });
  t.regex(text, /\n\nand 3 entries more not understood, of 100,003 in all$/);
});

test('a missing file exits 74, an unknown --as exits 2', async (t) => {
  t.is((await check('nothing-here')).exitCode, 74);
  t.is((await check('plain.txt', '--as', 'md4')).exitCode, 2);
});

function check(...args: string[]) {
  const [bin, command] = [join(PROJECT, 'bin/run.js'), ['feed', 'check']];
  return execa(process.execPath, [bin, ...command, ...args], { cwd: FEEDS, reject: false, timeout: 60_000 });
}
