import { join, resolve } from 'node:path';
import { execa } from 'execa';

// run-units.c and what it reads and writes; a benchmark uses it too.

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

/** Compiles run-units.c into `directory`. */
export async function buildRunner(directory: string): Promise<string> {
  const runner = join(directory, 'run-units');
  const source = join(import.meta.dirname, 'run-units.c');
  await execa('cc', ['-O2', '-Wall', '-Wextra', '-Werror', '-o', runner, source, '-lbpf']);
  return runner;
}

/** What run-units reads: a packet a line, in hexadecimal, of one that is too long for test_run the beginning. */
export function packetLines(packets: readonly Uint8Array[]): string {
  return packets.map((packet) => `${Buffer.from(packet.subarray(0, INPUT_MAX)).toString('hex')}\n`).join('');
}

/** As in run-units.c. */
const INPUT_MAX = 3072;

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
