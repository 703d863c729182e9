import { readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { TlsnapError } from '../errors.js';
import { ticksToNs } from '../procfs/clock-ticks.js';
import { readStat } from '../procfs/identity.js';
import { namespaceInode } from '../procfs/namespaces.js';
import type { ProcessDirectory, Procfs } from '../procfs/procfs.js';
import { parseStatus } from '../procfs/status.js';
import type { Host } from '../snapshot/schema/host.js';
import { startOf } from './gather.js';

/** Throws a TlsnapError of kind `input` where the capture that writes the spool still runs. */
export function refuseLiveSpool(directory: string, procfs: Procfs): void {
  const start = startOf(directory);
  const pid = start && writerOf(start.host, procfs);
  if (pid === null) return;
  throw new TlsnapError('input', directory, `is still written to: its capture runs, as process ${pid}`, [
    `End the capture first, which makes the snapshot itself: kill -INT ${pid}`,
  ]);
}

/**
 * The pid of the process that looked at the host like this, if it still runs; null where that cannot be told, as of
 * another boot's or another machine's, or from a pid namespace that does not show it. Whoever got its pid since started
 * later than it looked.
 */
export function writerOf({ bootId, uptimeNs, self }: Host, procfs: Procfs): number | null {
  const { pid, namespaces } = self;
  if (bootId === null || uptimeNs === null || namespaces.pid === null || bootIdOf(procfs) !== bootId) return null;
  const isRunning = (directory: ProcessDirectory): boolean => {
    const { state, startTimeTicks } = readStat(directory);
    return !ENDED.has(state) && ticksToNs(startTimeTicks, procfs.ticksPerSecond) <= BigInt(uptimeNs);
  };
  if (ownNamespace(procfs) === namespaces.pid) return holds(procfs, pid, isRunning) ? pid : null;
  // Seen from outside of its namespace it has another pid.
  const isWriter = (directory: ProcessDirectory): boolean =>
    namespaceInode(directory.link('ns/pid')) === namespaces.pid &&
    parseStatus(directory.read('status', MAX_STATUS).bytes.toString('latin1')).nsPids?.at(-1) === pid &&
    isRunning(directory);
  return procfs.pids().pids.find((candidate) => holds(procfs, candidate, isWriter)) ?? null;
}

/** Not of a process that is gone, or may not be read. */
function holds(procfs: Procfs, pid: number, condition: (directory: ProcessDirectory) => boolean): boolean {
  try {
    return procfs.using(pid, condition);
  } catch {
    return false;
  }
}

/** Null on a laptop without /proc. */
function bootIdOf(procfs: Procfs): string | null {
  try {
    return procfs.read('sys/kernel/random/boot_id', 64).bytes.toString('latin1').trim();
  } catch {
    return null;
  }
}

function ownNamespace(procfs: Procfs): number | null {
  try {
    return namespaceInode(readlinkSync(join(procfs.root, 'self/ns/pid'), { encoding: 'buffer' }));
  } catch {
    return null;
  }
}

/** Zombies and the dead, as after kill -9, until their parents look at them. */
const ENDED: ReadonlySet<string> = new Set(['Z', 'X', 'x']);
const MAX_STATUS = 65_536;
