/**
 * Measures `report`: how many handshakes a second become one format, and in how much memory. tlsnap must be built.
 *
 *   node --import tsx bench/report.ts SNAPSHOT [FORMAT...]
 *
 * `node --import tsx bench/match.ts 1000000 FOLDER` makes a snapshot of a million handshakes, and keeps it. bench/read.ts
 * says what reading its rows costs, below which no report can be. On a busy machine look at the processor time.
 */
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { REPORT_FORMATS } from '../src/report/formats.js';
import { openSnapshot } from '../src/snapshot/reader.js';
import { measured, pace, TLSNAP } from './measured.js';

const [snapshot, ...formats] = process.argv.slice(2);
if (snapshot === undefined) throw new Error('usage: bench/report.ts SNAPSHOT [FORMAT...]');
const { manifest } = await openSnapshot(snapshot);
const folder = mkdtempSync(join(tmpdir(), 'tlsnap-bench-'));
try {
  for (const format of formats.length > 0 ? formats : REPORT_FORMATS) {
    const output = join(folder, format);
    const measure = await measured([...TLSNAP, 'report', snapshot, '--format', format, '--output', output]);
    console.log(`${format}: ${pace(measure, manifest.coverage.events)}, ${Math.round(statSync(output).size / 1e6)} MB`);
    rmSync(output);
  }
} finally {
  rmSync(folder, { recursive: true });
}
