/**
 * Measures what the kernel needs for a JA3, warm: the parts of the programs by BPF_PROG_TEST_RUN on curl's ClientHello.
 *
 *   node --import tsx bench/ja3.ts [ROUNDS] [RUNS]
 *
 * Needs root and a C compiler. README.md says how to read the figures.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Table from 'cli-table3';
import { execa } from 'execa';
import type { Connection } from '../scripts/fixtures/tshark-hellos.js';
import { buildRunner, packetLines, readResults, UNITS_OBJECT, type UnitProgram } from '../test/bpf/runner.js';
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
  const { name, message } = curlHello();
  const input = packetLines([message]);
  const found = new Map<UnitProgram, number[]>(PARTS.map(({ program }) => [program, []]));
  for (let round = 0; round < rounds; round++) {
    for (const { program } of PARTS) {
      const { stdout } = await execa(runner, ['--repeat', String(runs), UNITS_OBJECT, program], { input });
      found.get(program)?.push(readResults(stdout)[0]?.ns ?? Number.NaN);
    }
  }
  const table = new Table({
    head: [`a hello of ${message.length} bytes by ${name}, ns`, 'one run', 'target'],
  });
  for (const { program, name: part, target } of PARTS)
    table.push([part, spreadText(spreadOf(found.get(program) ?? []), 0), target]);
  console.log(table.toString());
} finally {
  rmSync(folder, { recursive: true });
}

/** What curl sent in its first segment, without the header of the TLS record. */
function curlHello(): { name: string; message: Buffer } {
  const lines = readFileSync(new URL('../fixtures/hellos/hellos.ndjson', import.meta.url), 'utf8')
    .trim()
    .split('\n');
  const connections = lines.map((line) => JSON.parse(line) as Connection);
  const curl = connections.find(({ name, transport }) => name.startsWith('curl') && transport === 'tcp');
  const first = curl?.segments[0]?.[2];
  if (!curl || first === undefined) throw new Error('fixtures/hellos has no hello of curl');
  return { name: curl.name, message: Buffer.from(first, 'hex').subarray(5) };
}
