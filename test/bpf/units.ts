import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { execa } from 'execa';
import { existsSync } from 'node:fs';
import { reasonAgainstCommands, reasonAgainstLiveTests } from '../left-out.js';
import { buildRunner, packetLines, readResults, UNITS_OBJECT, type UnitProgram, type UnitResult } from './runner.js';

// The programs of units.bpf.c, each run by the kernel itself on packets that a test makes (BPF_PROG_TEST_RUN).

/** Why the kernel cannot be asked here, or undefined where it can. */
export function reasonAgainstUnits(): string | undefined {
  const missing = existsSync(UNITS_OBJECT) ? undefined : 'bpf/build/units.bpf.o is not built';
  return reasonAgainstLiveTests() ?? missing ?? reasonAgainstCommands('cc');
}

/** Has this kernel run a program on each packet. */
export async function runUnits(
  t: ExecutionContext,
  program: UnitProgram,
  packets: readonly Uint8Array[],
): Promise<UnitResult[]> {
  const runner = await buildRunner(await temporaryDirectory(t));
  const { stdout } = await execa(runner, [UNITS_OBJECT, program], { input: packetLines(packets), timeout: 90_000 });
  return readResults(stdout);
}

/** The digests of each packet as openssl(1) makes them, all in one process for each kind. */
export async function opensslDigests(
  directory: string,
  kind: 'md5' | 'sha256',
  files: readonly string[],
): Promise<string[]> {
  const { stdout } = await execa('openssl', ['dgst', `-${kind}`, '-r', ...files], { cwd: directory });
  return stdout.split('\n').map((line) => line.split(' ')[0] ?? '');
}

/** A directory of the test's own, removed when it is over. */
export async function temporaryDirectory(t: ExecutionContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'tlsnap-units-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

/** Bytes that look random and are the same each time: SHA-256 of a counter, again and again. */
export function bytesOf(seed: number, length: number): Buffer {
  const blocks = Array.from({ length: Math.ceil(length / 32) }, (_, index) =>
    createHash('sha256').update(`${seed} ${index}`).digest(),
  );
  return Buffer.concat(blocks).subarray(0, length);
}
