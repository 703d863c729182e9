import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { execa } from 'execa';
import { madeHello, makeSnapshot, realHello } from '../analysis/made-snapshot.js';
import { temporaryFolder } from '../snapshot/sample.js';
import { runCli } from './run-cli.js';

const curl = realHello('curl');
const genuine = madeHello({ message: curl.message });

test('in a pipe replay is NDJSON, with a summary on stderr, and exits 0 where all is as recorded', async (t) => {
  const path = await makeSnapshot(await temporaryFolder(t), 'made', { handshakes: [genuine], processes: [{}] });
  const { exitCode, stdout, stderr } = await runCli(['replay', path]);
  t.is(exitCode, 0);
  const types = stdout.split('\n').map((line) => (JSON.parse(line) as { type: string }).type);
  t.deepEqual(types, ['process', 'handshake']);
  t.regex(stderr, /1 hello derived anew from the raw bytes, 0 compared with the kernel: all as recorded/);
  t.is((await runCli(['replay', path, '--quiet'])).stderr, '');
});

test('a fingerprint that is not what the raw bytes give exits 1 and is shown', async (t) => {
  const wrong = 'd41d8cd98f00b204e9800998ecf8427e';
  for (const row of [
    { ...genuine, fingerprints: { ...genuine.fingerprints, ja3: wrong } },
    { ...genuine, kernel: { ja3: wrong } },
  ]) {
    const path = await makeSnapshot(await temporaryFolder(t), 'forged', { handshakes: [row] });
    const { exitCode, stdout } = await runCli(['replay', path, '--format', 'table', '--speed', 'max']);
    t.is(exitCode, 1);
    t.regex(stdout, new RegExp(`DIFFERS .*ja3: recorded "${wrong}", but it is "${curl.ja3}"`));
  }
});

test('a feed that names a hello exits 1, and the match stands behind it', async (t) => {
  const folder = await temporaryFolder(t);
  const feed = join(folder, 'feed');
  await writeFile(feed, `${curl.ja3}\n`);
  const path = await makeSnapshot(folder, 'made', { handshakes: [genuine] });
  const { exitCode, stdout } = await runCli(['replay', path, '--feed', feed, '--format', 'csv']);
  t.is(exitCode, 1);
  t.deepEqual(
    stdout.split('\n').map((line) => line.split(',')[0]),
    ['type', 'handshake', 'match'],
  );
  const json = JSON.parse((await runCli(['replay', path, '--feed', feed, '--json'])).stdout) as object;
  t.like(json, { handshakes: 1, differing: 0, hits: { total: 1 } });
});

test('a reader that has enough ends it quietly', async (t) => {
  const handshakes = Array.from({ length: 3000 }, (_, at) => madeHello({ at: BigInt(at), message: curl.message }));
  const path = await makeSnapshot(await temporaryFolder(t), 'long', { handshakes });
  const run = join(import.meta.dirname, '../../bin/run.js');
  const { stdout, stderr } = await execa('sh', [
    '-c',
    '"$0" "$1" replay "$2" --quiet | head -n 1',
    process.execPath,
    run,
    path,
  ]);
  t.regex(stdout, /^\{"type":"handshake","seq":0/);
  t.is(stderr, '');
});

test('a speed that is none exits 2, a file that is no snapshot 65, and one that is not there 74', async (t) => {
  const path = await makeSnapshot(await temporaryFolder(t), 'made', { handshakes: [genuine] });
  for (const speed of ['0', '-1', 'fast', 'NaN', '1e9']) {
    t.is((await runCli(['replay', path, `--speed=${speed}`])).exitCode, 2, speed);
  }
  t.is((await runCli(['replay', path, '--speed', '0.5'])).exitCode, 0);
  t.is((await runCli(['replay', import.meta.filename])).exitCode, 65);
  t.is((await runCli(['replay', `${path}.not`])).exitCode, 74);
});
