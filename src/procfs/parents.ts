import type { ParentProcess } from '../snapshot/schema/process.js';
import { ticksToNs } from './clock-ticks.js';
import { parseExeLink, readStat } from './identity.js';
import type { ProcessDirectory, Procfs } from './procfs.js';
import { textFields } from './text.js';

/**
 * The chain of parents as it is now, nearest first, up to pid 1 (or to pid 0: a parent outside of this pid namespace).
 * A parent cannot be younger than its child: where one is, the pid was reused and the chain ends.
 *
 * @param childTicks the child's start, in clock ticks
 */
export function readParents(procfs: Procfs, ppid: number, childTicks: bigint | null): ParentProcess[] {
  const parents: ParentProcess[] = [];
  let pid = ppid;
  let youngest = childTicks;
  while (pid !== 0 && parents.length < MAX_DEPTH) {
    const parent = readParent(procfs, pid);
    if (!parent) {
      parents.push({ pid, startTimeNs: null, comm: null, exe: null });
      break;
    }
    if (youngest !== null && parent.ticks > youngest) break;
    parents.push(parent.row);
    pid = parent.ppid;
    youngest = parent.ticks;
  }
  return parents;
}

/** A process in one line: of a parent, of a socket's owner. Touches neither its memory nor its files. */
export function briefly(
  procfs: Procfs,
  directory: ProcessDirectory,
): { row: ParentProcess; ppid: number; ticks: bigint } {
  const stat = readStat(directory);
  const row = {
    pid: directory.pid,
    startTimeNs: String(ticksToNs(stat.startTimeTicks, procfs.ticksPerSecond)),
    ...textFields('comm', stat.comm),
    ...textFields('exe', exeOf(directory)),
  };
  return { row, ppid: stat.ppid, ticks: stat.startTimeTicks };
}

function readParent(procfs: Procfs, pid: number): ReturnType<typeof briefly> | null {
  try {
    return procfs.using(pid, (directory) => briefly(procfs, directory));
  } catch {
    return null;
  }
}

function exeOf(directory: ProcessDirectory): Buffer | null {
  try {
    return parseExeLink(directory.link('exe')).path;
  } catch {
    return null;
  }
}

/** A chain that is deeper was made so. */
const MAX_DEPTH = 256;
