import type { Procfs } from '../procfs/procfs.js';
import type { Manifest } from '../snapshot/schema/manifest.js';

/** One reading of the clocks, in the manifest's form. */
export type ClockReading = NonNullable<Manifest['clocks']>['start'];

/** Null where there is no such file, or it is not of the form. */
export function readUptimeNs(procfs: Procfs): bigint | null {
  try {
    return parseUptime(procfs.read('uptime', 128).bytes.toString('latin1'));
  } catch {
    return null;
  }
}

/** /proc/uptime: seconds since boot with two decimals, then the idle time. */
export function parseUptime(text: string): bigint | null {
  const match = /^(\d{1,11})\.(\d{2}) /.exec(text);
  if (!match) return null;
  return BigInt(match[1] ?? '0') * 1_000_000_000n + BigInt(match[2] ?? '0') * 10_000_000n;
}

/**
 * By how many nanoseconds the wall clock was moved against boot time between two readings. What is below a
 * millisecond may be slewing or the reading itself.
 */
export function clockStepNs(start: ClockReading, end: ClockReading): string {
  const wall = BigInt(end.realtime) - BigInt(start.realtime);
  const boot = BigInt(end.boottime) - BigInt(start.boottime);
  return String(wall - boot);
}
