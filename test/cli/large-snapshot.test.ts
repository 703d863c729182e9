import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { contentOf, membersOf, packedBytes, replaced } from '../snapshot/repack.js';
import { temporaryFolder, writeSample } from '../snapshot/sample.js';
import { writeReport } from '../../src/write-report.js';
import { runCli } from './run-cli.js';

// Large enough for what is built to hash on a thread of its own; what is not built has no threads.

test('a large snapshot is reported the same with a thread that hashes and without', async (t) => {
  const { folder, path } = await large(t);
  const [threaded, plain] = [join(folder, 'threaded.csv'), join(folder, 'plain.csv')];
  const { exitCode, stderr } = await runCli(['report', path, '--format', 'csv', '--output', threaded]);
  t.is(exitCode, 0, stderr);
  await writeReport({ snapshot: path, format: 'csv', table: undefined, feeds: [], as: undefined, output: plain });
  t.true((await readFile(threaded)).equals(await readFile(plain)));
});

test('a large timeline is refused for its digest, and for a line before that', async (t) => {
  const { folder, path } = await large(t);
  const members = await membersOf(path);
  const timeline = contentOf(members, 'handshakes.ndjson');
  const refusals = {
    'handshakes.ndjson: does not have the digest': changedAtEnd(timeline, '"comm":"', '"comm":"x'),
    [`handshakes.ndjson line ${EVENTS}: `]: changedAtEnd(timeline, '"seq":', '"seq":-'),
  };
  for (const [reason, content] of Object.entries(refusals)) {
    const other = join(folder, 'other.tlsnap.tar.gz');
    await writeFile(other, await packedBytes(replaced(members, { 'handshakes.ndjson': content })));
    const output = join(folder, 'other.csv');
    const { exitCode, stderr } = await runCli(['report', other, '--format', 'csv', '--output', output]);
    t.is(exitCode, 65);
    t.true(stderr.replaceAll(/\s*\n\W*/g, ' ').includes(reason), stderr);
    await t.throwsAsync(readFile(output), { code: 'ENOENT' });
  }
});

async function large(t: ExecutionContext): Promise<{ folder: string; path: string }> {
  const folder = await temporaryFolder(t);
  const { path, manifest } = await writeSample(folder, { handshakes: EVENTS });
  const size = manifest.members.find((member) => member.path === 'handshakes.ndjson')?.size ?? 0;
  t.true(size > 33 * 1024 * 1024, `${size} bytes`);
  return { folder, path };
}

function changedAtEnd(timeline: Buffer, text: string, other: string): Buffer {
  const at = timeline.lastIndexOf(text);
  return Buffer.concat([timeline.subarray(0, at), Buffer.from(other), timeline.subarray(at + text.length)]);
}

const EVENTS = 30_000;
