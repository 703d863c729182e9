import type { ExecutionContext } from 'ava';
import { join } from 'node:path';
import { execa } from 'execa';
import { openBpfFileSystem } from './bpf-file-system.js';
import { assertVerifies } from './judge.js';
import { type Captured, readCaptured, type Stage, TLSNAP } from './live.js';

// The flight recorder's commands, as a user gives them.

/** A folder for pins, in a BPF file system of the test's own. */
export async function pinsFor(t: ExecutionContext): Promise<string> {
  return join(await openBpfFileSystem(t), 'tlsnap');
}

export function tlsnap(...args: readonly string[]) {
  return execa(process.execPath, [TLSNAP, ...args], { reject: false, timeout: 60_000 });
}

export function start(stage: Stage, pins: string, ...flags: readonly string[]) {
  return tlsnap('record', 'start', '--pins', pins, '--cgroup', stage.cgroup, ...flags);
}

let dumps = 0;

export async function dump(t: ExecutionContext, stage: Stage, pins: string): Promise<Captured> {
  const path = join(stage.directory, `dump-${dumps++}.tlsnap.tar.gz`);
  const { exitCode, stderr } = await tlsnap('record', 'dump', '--pins', pins, '--output', path);
  t.true(exitCode === 0 || exitCode === 1, stderr);
  await assertVerifies(t, path);
  return { ...(await readCaptured(path)), exitCode, stderr };
}

export async function fails(
  t: ExecutionContext,
  code: number,
  message: RegExp,
  ...args: readonly string[]
): Promise<void> {
  const { exitCode, stdout } = await tlsnap('record', ...args, '--json');
  t.is(exitCode, code, stdout);
  t.regex((JSON.parse(stdout) as { error: { message: string } }).error.message, message);
}

/** The programs on the stage's cgroup. */
export async function attached(stage: Stage): Promise<unknown[]> {
  const { stdout } = await execa('bpftool', ['--json', 'cgroup', 'show', stage.cgroup]);
  return stdout === '' ? [] : (JSON.parse(stdout) as unknown[]);
}

export async function untilNothing(stage: Stage): Promise<void> {
  let left: unknown[] = [];
  // The kernel takes a link off a moment after its last pin is gone.
  for (let time = 0; time < 100; time++) {
    left = await attached(stage);
    if (left.length === 0) return;
  }
  throw new Error(`still attached: ${JSON.stringify(left)}`);
}
