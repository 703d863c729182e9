import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import test from 'ava';
import { testUnless } from '../left-out.js';
import { runCli } from './run-cli.js';

const RUN = resolve(import.meta.dirname, '../../bin/run.js');
const CAPTURE = resolve(import.meta.dirname, '../../fixtures/pcap/clients.pcapng');
/** Commands that print: by oclif, slowly, as a stream, as JSON, and without a command. */
const PRINTING = [
  ['verify', 'SNAPSHOT'],
  ['replay', 'SNAPSHOT', '--speed', 'max', '--format', 'csv'],
  ['report', 'SNAPSHOT', '--format', 'csv'],
  ['verify', 'SNAPSHOT', '--json'],
  ['--help'],
];

const withoutFull = existsSync('/dev/full') ? undefined : 'there is no /dev/full';

let folder = '';
let snapshot = '';
test.before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tlsnap-test-'));
  snapshot = join(folder, 'some.tlsnap.tar.gz');
  await runCli(['import', CAPTURE, '--output', snapshot]);
});
test.after.always(() => rm(folder, { recursive: true, force: true }));

test('an output to stdout and the result of --json, or an output without a name, are refused before anything is read', async (t) => {
  for (const words of [
    ['import', CAPTURE, '--output', '-', '--json'],
    ['report', 'SNAPSHOT', '--json', '--format', 'csv'],
    ['import', CAPTURE, '--output', ''],
    ['capture', '--window', '1s', '--output', ''],
    ['recover', 'nothing.spool', '--output', '-', '--json'],
  ]) {
    const { exitCode, stdout, stderr } = await runCli(words);
    t.is(exitCode, 2, words.join(' '));
    t.regex(stdout + stderr, /Name a file with --output/);
  }
});

for (const words of PRINTING) {
  test(`${words.join(' ')} exits 74, and says nothing, when its reader has ended`, async (t) => {
    const { exitCode, stderr } = await runInto('closed pipe', words);
    t.is(exitCode, 74);
    t.notRegex(stderr, /Error|EPIPE|at /);
  });

  testUnless(withoutFull, `${words.join(' ')} exits 74 when standard output is full`, async (t) => {
    const device = openSync('/dev/full', 'w');
    const { exitCode, stderr } = await runInto(device, words);
    closeSync(device);
    t.is(exitCode, 74);
    t.notRegex(stderr, /node:internal|this is a bug/);
    t.regex(stderr, /standard output: no space left on the device \(ENOSPC\)/);
  });
}

test('a snapshot whose reader has ended is told to be lost', async (t) => {
  const { exitCode, stderr } = await runInto('closed pipe', ['import', CAPTURE, '--output', '-']);
  t.is(exitCode, 74);
  t.regex(stderr, /-: write EPIPE/);
  t.notRegex(stderr, /node:internal/);
});

/** A pipe is closed by who reads it before anything is written. */
async function runInto(stdout: number | 'closed pipe', words: readonly string[]) {
  const child = spawn(process.execPath, [RUN, ...named(words)], {
    stdio: ['ignore', stdout === 'closed pipe' ? 'pipe' : stdout, 'pipe'],
  });
  child.stdout?.destroy();
  const { stderr: said } = child;
  if (!said) throw new Error('there is no pipe for standard error');
  const [stderr] = await Promise.all([text(said), once(child, 'exit')]);
  return { exitCode: child.exitCode, stderr };
}

function named(words: readonly string[]): string[] {
  return words.map((word) => (word === 'SNAPSHOT' ? snapshot : word));
}
