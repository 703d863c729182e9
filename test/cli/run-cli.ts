import { resolve } from 'node:path';
import { execa, type Options } from 'execa';

export interface CliResult {
  readonly exitCode: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the built command line as a user does: `bin/run.js` in a process of its own. */
export async function runCli(args: readonly string[], options: Options = {}): Promise<CliResult> {
  const { exitCode, stdout, stderr } = await execa(process.execPath, [RUN, ...args], { ...options, reject: false });
  return { exitCode, stdout: String(stdout), stderr: String(stderr) };
}

const RUN = resolve(import.meta.dirname, '../../bin/run.js');
