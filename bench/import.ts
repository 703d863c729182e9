/**
 * `tlsnap import` beside tshark and ndpiReader on the same large capture, in turns, so that what else the machine does hits all
 * of them alike. tlsnap must be built.
 *
 *   node --import tsx bench/import.ts [CAPTURE] [--rounds 3] [--without tshark]
 *
 * Without CAPTURE one of 500 MB is built by build-capture.ts. Prints for each tool the median and the best of wall-clock and
 * processor time, and its peak memory; exits 1 where tlsnap is not as fast and small as docs/import.md says it should be.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { execa } from 'execa';
import { type Measure, measured, TLSNAP } from './measured.js';

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: 'string', default: '3' }, without: { type: 'string', multiple: true, default: [] } },
});
const folder = mkdtempSync(join(tmpdir(), 'tlsnap-bench-'));
try {
  const capture = positionals[0] ?? (await built(join(folder, 'big.pcap')));
  const output = join(folder, 'out.tlsnap.tar.gz');
  const fields = ['tls.handshake.ja3', 'tls.handshake.ja3s', 'tls.handshake.extensions_server_name'];
  const tools: Record<string, string[]> = {
    tlsnap: [...TLSNAP, 'import', capture, '--output', output, '--quiet'],
    ndpiReader: ['ndpiReader', '-q', '-v', '0', '-i', capture],
    tshark: [
      'tshark',
      '-n',
      '-r',
      capture,
      '-Y',
      'tls.handshake.type<=2',
      '-T',
      'fields',
      ...fields.flatMap((f) => ['-e', f]),
    ],
  };
  for (const name of values.without) Reflect.deleteProperty(tools, name);
  const measures: Record<string, Measure[]> = {};
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const [name, command] of Object.entries(tools)) {
      rmSync(output, { force: true });
      (measures[name] ??= []).push(await measured(command));
    }
  }
  report(measures);
} finally {
  rmSync(folder, { recursive: true });
}

async function built(path: string): Promise<string> {
  const script = join(import.meta.dirname, 'build-capture.ts');
  const { stdout } = await execa(process.execPath, ['--import', 'tsx', script, path]);
  process.stdout.write(`${stdout}\n`);
  return path;
}

function report(measures: Record<string, Measure[]>): void {
  const load = loadavg()[0]?.toFixed(1) ?? '';
  process.stdout.write(`${availableParallelism()} processors, load ${load}\n`);
  process.stdout.write('tool        wall s: median (best)   processor s: median (best)   peak MB\n');
  for (const [name, runs] of Object.entries(measures)) {
    const wall = runs.map((run) => run.wall);
    const processor = runs.map((run) => run.processor);
    const columns = [
      seconds(wall).padEnd(24),
      seconds(processor).padEnd(29),
      Math.max(...runs.map((run) => run.peak)).toFixed(0),
    ];
    process.stdout.write(`${name.padEnd(12)}${columns.join('')}\n`);
  }
  const { tlsnap = [], ndpiReader, tshark } = measures;
  const wall = (runs: Measure[] | undefined): number => median((runs ?? []).map((run) => run.wall));
  const peak = (runs: Measure[] | undefined): number => Math.max(...(runs ?? []).map((run) => run.peak));
  const missed = [
    ndpiReader && wall(tlsnap) >= wall(ndpiReader) ? 'not faster than ndpiReader' : null,
    tshark && wall(tlsnap) * 5 > wall(tshark) ? 'not 5 times faster than tshark' : null,
    ndpiReader && peak(tlsnap) >= peak(ndpiReader) ? 'more memory than ndpiReader' : null,
    tshark && peak(tlsnap) >= peak(tshark) ? 'more memory than tshark' : null,
  ].filter((text) => text !== null);
  for (const text of missed) process.stdout.write(`MISSED: ${text}\n`);
  if (missed.length > 0) process.exitCode = 1;
}

function seconds(values: readonly number[]): string {
  return `${median(values).toFixed(2)} (${Math.min(...values).toFixed(2)})`;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? NaN;
}
