import { resolve } from 'node:path';
import { execa } from 'execa';

/** What one run of a command used, all its threads together. */
export interface Measure {
  /** Seconds. */
  readonly wall: number;
  readonly processor: number;
  /** MB of 10^6 bytes. */
  readonly peak: number;
}

/** The built tlsnap as a user starts it. Under tsx it would take a hundred megabytes more, and be slower. */
export const TLSNAP = [process.execPath, resolve(import.meta.dirname, '../bin/run.js')] as const;

/** Runs a command under GNU time; exit code 1 only says that something was found. What it writes goes nowhere. */
export async function measured(command: readonly string[]): Promise<Measure> {
  const args = ['-f', 'measured %e %U %S %M', ...command];
  const { stderr, exitCode } = await execa('/usr/bin/time', args, { stdout: 'ignore', maxBuffer: 1e8, reject: false });
  const figures = /measured (\S+) (\S+) (\S+) (\S+)/.exec(stderr)?.slice(1).map(Number);
  if (!figures || (exitCode !== 0 && exitCode !== 1)) throw new Error(`${command.join(' ')}: ${stderr}`);
  const [wall = NaN, user = NaN, system = NaN, peak = NaN] = figures;
  return { wall, processor: user + system, peak: peak / 1000 };
}

/** `107,000 rows/s, 13.2 µs of processor time a row, peak 320 MB`, of `rows` rows; the whole command counts. */
export function pace({ wall, processor, peak }: Measure, rows: number): string {
  const rate = Math.round(rows / wall).toLocaleString('en');
  const each = ((processor / rows) * 1e6).toFixed(1);
  return `${rate} rows/s, ${each} µs of processor time a row, peak ${peak.toFixed(0)} MB`;
}
