import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { Errors, flush, run } from '@oclif/core';
import { STDOUT, stdoutError, TlsnapError } from './errors.js';
import { described, EXIT, exitCodeOf, inPlainWords, isClosedPipe } from './failure.js';
import { printableJson } from './terminal.js';

/**
 * The command line: finds the command and runs it. What a command throws is told by its base class; here ends what goes
 * wrong before there is a command, in the same words and with the same exit codes.
 *
 * @param root folder of package.json
 */
export async function main(root: string, argv = process.argv.slice(2)): Promise<void> {
  // Neither plugins nor themes: nothing that lies in the user's folders has a say in what this program does.
  process.env['TLSNAP_DISABLE_THEME'] = '1';
  for (const flag of COLLECTOR_FLAGS) setFlagsFromString(flag);
  const unwritten = stdoutFailure();
  try {
    await run(argv, { root, userPlugins: false, devPlugins: false });
    // What could not be written is told one turn later, and then nobody tells of a drain.
    const failure = await Promise.race([unwritten, nextTurn().then(() => flush())]);
    if (failure !== undefined) throw failure as Error;
  } catch (error) {
    await tell(error, root, asksForJson(argv) && !isOfStdout(error));
  }
}

/**
 * Resolves to why standard output takes no more. What runs goes on: a capture has more to do than to print. oclif's own
 * listener throws where nobody catches it, and the exit code would be 1, as if something were found.
 */
function stdoutFailure(): Promise<unknown> {
  return new Promise((resolve) => {
    process.stdout.removeAllListeners('error').on('error', (error) => resolve(stdoutError(error)));
  });
}

async function tell(error: unknown, root: string, json: boolean): Promise<void> {
  const exit = exitCodeOf(error);
  if (error instanceof Errors.CLIError) inPlainWords(error);
  const { message, suggestions } = described(error, versionOf(root));
  // The base command has told it already, or nobody is there to be told.
  const told = error instanceof Errors.ExitError || isClosedPipe(error);
  if (told || json) {
    process.exitCode = exit;
    if (!told) process.stdout.write(`${printableJson({ error: { code: exit, message, suggestions } })}\n`);
  } else if (error instanceof Errors.CLIError && exit !== EXIT.bug) {
    await Errors.handle(error);
  } else {
    await Errors.handle(new Errors.CLIError(message, { exit, suggestions }));
  }
}

/** What goes wrong may be that nothing more can be opened. */
function versionOf(root: string): string {
  try {
    return (JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }).version;
  } catch {
    return '(version not read)';
  }
}

/** Nobody would read it there. */
function isOfStdout(error: unknown): boolean {
  return error instanceof TlsnapError && error.subject === STDOUT;
}

function asksForJson(argv: readonly string[]): boolean {
  const end = argv.indexOf('--');
  return argv.slice(0, end < 0 ? argv.length : end).includes('--json');
}

/**
 * Rows come and go by the million: none of them is to be kept among what lasts (docs/adr/0029), and helpers that look for those few
 * that are alive are waited for in vain (docs/adr/0033).
 */
const COLLECTOR_FLAGS = ['--no-allocation-site-pretenuring', '--no-parallel-scavenge'];
