import { cp, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { execa } from 'execa';
import { runCli } from './cli/run-cli.js';
import { reasonAgainstCommands, testUnless } from './left-out.js';
import { temporaryFolder } from './snapshot/sample.js';

const PROJECT = resolve(import.meta.dirname, '..');

test('a command that is not there exits 2, and with --json the error is JSON on stdout', async (t) => {
  const text = await runCli(['nosuch']);
  t.is(text.exitCode, 2);
  t.regex(text.stderr, /nosuch not found/);
  const json = await runCli(['nosuch', '--json']);
  t.is(json.exitCode, 2);
  t.like(JSON.parse(json.stdout), { error: { code: 2, message: 'command nosuch not found' } });
  t.is((await runCli(['nosuch', '--', '--json'])).stdout, '');
});

for (const [what, source] of [
  ['cannot be parsed', 'export default class {'],
  ['fails when it is loaded', 'throw new RangeError("odd \\u001b[2J");'],
  ['imports what is not there', 'import "../nothing.js";'],
] as const) {
  test(`a command whose file ${what} is our bug: 70, with and without --json`, async (t) => {
    const run = join(await brokenInstallation(t, source), 'bin/run.js');
    const text = await execa(process.execPath, [run, 'keygen', '--output', 'x'], { reject: false });
    t.is(text.exitCode, 70);
    t.regex(text.stderr, /this is a bug in/);
    t.notRegex(text.stderr, /\u001b\[2J/);
    const json = await execa(process.execPath, [run, 'keygen', '--output', 'x', '--json'], { reject: false });
    t.is(json.exitCode, 70);
    t.like(JSON.parse(json.stdout), { error: { code: 70 } });
    t.is((await execa(process.execPath, [run, '--version'])).exitCode, 0);
  });
}

testUnless(
  process.getuid?.() === 0 ? reasonAgainstCommands('setpriv') : 'not root',
  'a user without a name, HOME and SHELL can run it, and make a key',
  async (t) => {
    const folder = await temporaryFolder(t);
    await execa('chmod', ['777', folder]);
    const nameless = ['setpriv', '--reuid=54321', '--regid=54321', '--clear-groups', 'env', '-i', process.execPath];
    const [command, ...rest] = [...nameless, join(PROJECT, 'bin/run.js'), 'keygen', '--output', join(folder, 'k')];
    const { exitCode, stderr } = await execa(command, rest, { reject: false });
    t.is(exitCode, 0, stderr);
    t.is(stderr, '');
    t.regex(await readFile(join(folder, 'k.pub'), 'utf8'), / uid-54321@/);
  },
);

testUnless(reasonAgainstCommands('strace'), "it looks for no plugin or theme in the user's folders", async (t) => {
  const folder = await temporaryFolder(t);
  const log = join(folder, 'strace');
  const home = join(folder, 'home');
  const command = [process.execPath, join(PROJECT, 'bin/run.js'), '--version'];
  await execa('strace', ['-f', '-o', log, '-e', 'trace=%file', ...command], { env: { HOME: home } });
  t.false((await readFile(log, 'utf8')).includes(home));
  t.deepEqual(await readdir(folder), ['strace']);
});

/** A copy of this installation in which the file of `keygen` is `source`. */
async function brokenInstallation(t: ExecutionContext, source: string): Promise<string> {
  const folder = await temporaryFolder(t);
  for (const part of ['bin', 'dist', 'package.json', 'oclif.manifest.json'])
    await cp(join(PROJECT, part), join(folder, part), { recursive: true });
  await symlink(join(PROJECT, 'node_modules'), join(folder, 'node_modules'));
  await writeFile(join(folder, 'dist/commands/keygen.js'), source);
  return folder;
}
