import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { execa } from 'execa';
import { reasonAgainstCommands, testUnless } from '../left-out.js';
import { temporaryFolder } from '../snapshot/sample.js';
import { runCli } from './run-cli.js';

testUnless(
  reasonAgainstCommands('ssh-keygen'),
  'ssh-keygen reads the pair and finds the same fingerprint',
  async (t) => {
    const key = join(await temporaryFolder(t), 'key');
    const { exitCode, stdout } = await runCli(['keygen', '--output', key, '--json']);
    t.is(exitCode, 0);
    const pair = JSON.parse(stdout) as { fingerprint: string; publicKey: string };

    const listed = await execa('ssh-keygen', ['-l', '-f', key]);
    const derived = await execa('ssh-keygen', ['-y', '-f', key]);

    t.is(listed.stdout.split(' ')[1], pair.fingerprint);
    t.is(`${derived.stdout}\n`, await readFile(pair.publicKey, 'utf8'));
    t.is((await stat(key)).mode & 0o777, 0o600);
  },
);

test('an existing private or public key is never overwritten, and no half of a pair is left', async (t) => {
  const folder = await temporaryFolder(t);
  const key = join(folder, 'key');
  await runCli(['keygen', '--output', key]);
  const before = await readFile(key, 'utf8');
  const again = await runCli(['keygen', '--output', key]);
  t.is(again.exitCode, 74);
  t.regex(again.stderr, /exists already/);
  t.is(await readFile(key, 'utf8'), before);

  await execa('mv', [key, join(folder, 'away')]);
  t.is((await runCli(['keygen', '--output', key])).exitCode, 74);
  await t.throwsAsync(stat(key), { code: 'ENOENT' });
});

test('without --output it is a usage error', async (t) => {
  t.is((await runCli(['keygen'])).exitCode, 2);
  t.is((await runCli(['keygen', '--output', '-'])).exitCode, 2);
});
