import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import test from 'ava';
import { execa } from 'execa';
import { runCli } from './cli/run-cli.js';

/** A command line of one command that ends as its argument says, over the real base command. */
const FAIL = `
import { BaseCommand, sharedFlags } from ${source('command.ts')};
import { TlsnapError } from ${source('errors.ts')};
import { Args } from ${JSON.stringify(import.meta.resolve('@oclif/core'))};
export default class Fail extends BaseCommand {
  static args = { how: Args.string({ required: true }) };
  static flags = { quiet: sharedFlags.quiet, verbose: sharedFlags.verbose };
  async run() {
    const { args } = await this.parse(Fail);
    if (args.how === 'found') { this.found(); return { hits: 1 }; }
    if (args.how === 'warned') { this.warn('odd \\u001b[31m'); return { hits: 0 }; }
    if (args.how === 'done') return { name: '\\u202e\\u009b' };
    if (args.how === 'bug') throw new RangeError('what \\u001b[2J nobody expected');
    if (args.how === 'text') throw 'a string';
    throw new TlsnapError(args.how, 'FILE \\u001b[2J', 'is odd', ['Do this.', 'Or that.']);
  }
}`;
const RUN = `
import { execute } from ${JSON.stringify(import.meta.resolve('@oclif/core'))};
await execute({ dir: import.meta.url });`;

let folder = '';
test.before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tlsnap-test-'));
  await mkdir(join(folder, 'commands'));
  const oclif = { bin: 'it', commands: './commands', topicSeparator: ' ' };
  // A second command, as oclif treats a command line of one in another way.
  await writeFile(
    join(folder, 'package.json'),
    JSON.stringify({ name: 'it', version: '1.2.3', type: 'module', oclif }),
  );
  await writeFile(join(folder, 'commands', 'fail.js'), FAIL);
  await writeFile(join(folder, 'commands', 'other.js'), FAIL.replaceAll('Fail', 'Other'));
  await writeFile(join(folder, 'run.js'), RUN);
});
test.after.always(() => rm(folder, { recursive: true, force: true }));

const EXITS: readonly [how: string, exit: number][] = [
  ['done', 0],
  ['warned', 0],
  ['found', 1],
  ['usage', 2],
  ['input', 65],
  ['unavailable', 69],
  ['bug', 70],
  ['text', 70],
  ['io', 74],
  ['permission', 77],
];

for (const [how, exit] of EXITS) {
  test(`${how} ends with exit code ${exit}, with and without --json`, async (t) => {
    t.is((await run('fail', how)).exitCode, exit);
    t.is((await run('fail', how, '--json')).exitCode, exit);
  });
}

test('an error names subject, detail and what to do, and hostile text in it is harmless', async (t) => {
  const plain = await run('fail', 'io');
  t.is(plain.stdout, '');
  t.regex(plain.stderr, /FILE \\x1b\[2J: is odd/);
  t.regex(plain.stderr, /\* Do this\.[^]*\* Or that\./);
  const json = await run('fail', 'io', '--json');
  t.deepEqual(JSON.parse(json.stdout), {
    error: { code: 74, message: 'FILE \\x1b[2J: is odd', suggestions: ['Do this.', 'Or that.'] },
  });
  t.is(json.stderr, '');
});

test('an unexpected error asks to be reported, and shows its stack only with DEBUG', async (t) => {
  const plain = await run('fail', 'bug');
  const text = plain.stderr.replace(/\s*\n[ ›]*/g, ' ');
  t.regex(text, /unexpected: RangeError: what \\x1b\[2J nobody expected; this is a bug in tlsnap/);
  t.regex(text, /Report it with this line, the command you ran, tlsnap 1\.2\.3 and Node v/);
  t.notRegex(text, /at Fail\.run/);
  t.regex((await run('fail', 'bug', { DEBUG: 'tlsnap' })).stderr, /at Fail\.run/);
});

test('a warning is told on stderr, and is in the result under --json', async (t) => {
  t.regex((await run('fail', 'warned')).stderr, /Warning: odd \\x1b\[31m/);
  const json = await run('fail', 'warned', '--json');
  t.deepEqual(JSON.parse(json.stdout), { hits: 0, warnings: ['odd \\x1b[31m'] });
  t.is(json.stderr, '');
});

test('what could harm a terminal is escaped in JSON, and keeps its value', async (t) => {
  const { stdout } = await run('fail', 'done', '--json');
  t.regex(stdout, /"\\u202e\\u009b"/);
  t.deepEqual(JSON.parse(stdout), { name: '\u202e\u009b' });
});

for (const args of [['fail'], ['fail', 'done', '--nope'], ['fail', 'done', 'more'], ['fail', 'done', '-q', '-v']]) {
  test(`a command line that is wrong ends with exit code 2, with and without --json: ${args.join(' ')}`, async (t) => {
    const plain = await run(...args);
    t.is(plain.exitCode, 2);
    t.is(plain.stdout, '');
    const json = await run(...args, '--json');
    t.is(json.exitCode, 2);
    const { error } = JSON.parse(json.stdout) as { error: { code: number; message: string; suggestions: string[] } };
    t.is(error.code, 2);
    t.true(error.message.length > 0 && Array.isArray(error.suggestions));
  });
}

test('the built command line holds to the same: unknown command and flag, missing argument, bad input', async (t) => {
  t.is((await runCli(['nope'])).exitCode, 2);
  t.is((await runCli(['verify', '--nope', '--json'])).exitCode, 2);
  t.is((await runCli(['verify'])).exitCode, 2);
  t.is((await runCli(['verify', import.meta.filename])).exitCode, 65);
  t.is((await runCli(['--help'])).exitCode, 0);
});

async function run(...args: (string | Record<string, string>)[]) {
  const env = args.find((arg) => typeof arg === 'object') ?? {};
  const words = args.filter((arg) => typeof arg === 'string');
  return execa(process.execPath, ['--import', import.meta.resolve('tsx'), join(folder, 'run.js'), ...words], {
    reject: false,
    env: { NODE_ENV: 'production', ...env },
  });
}

function source(name: string): string {
  return JSON.stringify(pathToFileURL(resolve(import.meta.dirname, '../src', name)).href);
}
