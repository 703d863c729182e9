/**
 * Measures what the kernel needs for a JA3, warm: the parts of the programs by BPF_PROG_TEST_RUN on curl's ClientHello.
 *
 *   node --import tsx bench/ja3.ts [ROUNDS] [RUNS]
 *
 * Needs root and a C compiler. README.md says how to read the figures.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Table from 'cli-table3';
import { execa } from 'execa';
import { buildRunner, packetLines, readResults, UNITS_OBJECT, type UnitProgram } from '../test/bpf/runner.js';
import { curlExchange } from './curl-exchange.js';
import { spreadOf, spreadText } from './spread.js';

const PARTS: readonly { readonly program: UnitProgram; readonly name: string; readonly target: string }[] = [
  { program: 'unit_ja3_string', name: 'parse, string', target: '' },
  { program: 'unit_ja3_md5', name: 'parse, string, MD5', target: '1000' },
  { program: 'unit_ja3_both', name: 'parse, string, MD5, SHA-256', target: '1800' },
];

const [rounds = 20, runs = 200_000] = process.argv.slice(2).map(Number);
const folder = mkdtempSync(join(tmpdir(), 'tlsnap-bench-'));
try {
  const runner = await buildRunner(folder);
  // Without the header of the TLS record.
  const message = curlExchange().clientHello.subarray(5);
  const input = packetLines([message]);
  const found = new Map<UnitProgram, number[]>(PARTS.map(({ program }) => [program, []]));
  for (let round = 0; round < rounds; round++) {
    for (const { program } of PARTS) {
      const { stdout } = await execa(runner, ['--repeat', String(runs), UNITS_OBJECT, program], { input });
      found.get(program)?.push(readResults(stdout)[0]?.ns ?? Number.NaN);
    }
  }
  const table = new Table({
    head: [`a hello of ${message.length} bytes by curl, ns`, 'one run', 'target'],
  });
  for (const { program, name: part, target } of PARTS)
    table.push([part, spreadText(spreadOf(found.get(program) ?? []), 0), target]);
  console.log(table.toString());
} finally {
  rmSync(folder, { recursive: true });
}
