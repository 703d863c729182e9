/**
 * Measures `report`: how many handshakes a second become one format, and in how much memory.
 *
 *   node --import tsx bench/report.ts SNAPSHOT [FORMAT...]
 *
 * `node --import tsx bench/match.ts 1000000 FOLDER` makes a snapshot of a million handshakes, and keeps it. Every format is
 * measured in a process of its own, after one that only reads the rows: inflating, JSON.parse and the schema's check,
 * below which no report can be. CPU is what the process used, on all its threads: on a busy machine look at that.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { REPORT_FORMATS, type ReportFormat } from '../src/report/formats.js';
import { openSnapshot } from '../src/snapshot/reader.js';
import { writeReport } from '../src/write-report.js';

const [mode, ...rest] = process.argv.slice(2);
if (mode === undefined) throw new Error('usage: bench/report.ts SNAPSHOT [FORMAT...]');
if (mode === 'measure') await measure(rest[0] ?? '', rest[1] ?? '');
else main(mode, rest.length > 0 ? rest : ['read', ...REPORT_FORMATS]);

function main(snapshot: string, formats: readonly string[]): void {
  for (const format of formats) {
    const script = fileURLToPath(import.meta.url);
    const result = execFileSync(process.execPath, [...process.execArgv, script, 'measure', snapshot, format]);
    console.log(result.toString().trim());
  }
}

async function measure(snapshot: string, format: string): Promise<void> {
  const start = performance.now();
  const { events, bytes } = format === 'read' ? await read(snapshot) : await write(snapshot, format as ReportFormat);
  const seconds = (performance.now() - start) / 1000;
  const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage();
  const cpu = (userCPUTime + systemCPUTime) / 1e6;
  console.log(
    `${format}: ${Math.round(events / seconds)} events/s (${seconds.toFixed(1)} s), ` +
      `CPU ${cpu.toFixed(1)} s, ${Math.round(bytes / 1e6)} MB, peak ${Math.round(maxRSS / 1024)} MiB`,
  );
}

async function read(path: string): Promise<{ events: number; bytes: number }> {
  let events = 0;
  for await (const rows of (await openSnapshot(path)).rows('handshakes')) events += rows.length;
  return { events, bytes: 0 };
}

async function write(snapshot: string, format: ReportFormat): Promise<{ events: number; bytes: number }> {
  const folder = mkdtempSync(join(tmpdir(), 'tlsnap-bench-'));
  try {
    const output = join(folder, 'report');
    const { rows } = await writeReport({ snapshot, format, table: undefined, feeds: [], as: undefined, output });
    return { events: rows.handshakes ?? 0, bytes: statSync(output).size };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
