import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { ExecutionContext } from 'ava';
import { execa } from 'execa';
import { existsSync } from 'node:fs';
import { reasonAgainstCommands, reasonAgainstLiveTests } from '../left-out.js';

// The programs of units.bpf.c, each run by the kernel itself on packets that a test makes (BPF_PROG_TEST_RUN).

export const UNITS_OBJECT = resolve(import.meta.dirname, '../../bpf/build/units.bpf.o');

/** unit_digests hashes the packet as if it were a JA3 string; the others read a ClientHello, with ever more digests. */
export type UnitProgram = 'unit_digests' | 'unit_ja3_string' | 'unit_ja3_md5' | 'unit_ja3_both';

/** What a program left behind for one packet. */
export interface UnitResult {
  /** 0 where it did its work; anything else is "left to user space". */
  readonly returned: number;
  readonly string: Buffer;
  readonly md5: string;
  readonly sha256: string;
  /** Of one run, as the kernel measured it; only where it was repeated. */
  readonly ns: number | null;
}

/** Why the kernel cannot be asked here, or undefined where it can. */
export function reasonAgainstUnits(): string | undefined {
  const missing = existsSync(UNITS_OBJECT) ? undefined : 'bpf/build/units.bpf.o is not built';
  return reasonAgainstLiveTests() ?? missing ?? reasonAgainstCommands('cc');
}

/** Compiles run-units.c into `directory`. */
export async function buildRunner(directory: string): Promise<string> {
  const runner = join(directory, 'run-units');
  const source = join(import.meta.dirname, 'run-units.c');
  await execa('cc', ['-O2', '-Wall', '-Wextra', '-Werror', '-o', runner, source, '-lbpf']);
  return runner;
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

/** What run-units reads: a packet a line, in hexadecimal. */
export function packetLines(packets: readonly Uint8Array[]): string {
  return packets.map((packet) => `${Buffer.from(packet).toString('hex')}\n`).join('');
}

/** What run-units printed. */
export function readResults(text: string): UnitResult[] {
  const lines = text.split('\n').filter((line) => line !== '');
  return lines.map((line) => {
    const [returned, string = '', md5 = '', sha256 = '', ns] = line.split(' ');
    return {
      returned: Number(returned),
      string: Buffer.from(string === '-' ? '' : string, 'hex'),
      md5,
      sha256,
      ns: ns === undefined ? null : Number(ns),
    };
  });
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
