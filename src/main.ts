import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Errors, flush, run } from '@oclif/core';
import { described, EXIT, exitCodeOf, isClosedPipe } from './failure.js';
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
  try {
    await run(argv, { root, userPlugins: false, devPlugins: false });
    await flush();
  } catch (error) {
    await tell(error, root, asksForJson(argv));
  }
}

async function tell(error: unknown, root: string, json: boolean): Promise<void> {
  const exit = exitCodeOf(error);
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
  const { message, suggestions } = described(error, version);
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

function asksForJson(argv: readonly string[]): boolean {
  const end = argv.indexOf('--');
  return argv.slice(0, end < 0 ? argv.length : end).includes('--json');
}
