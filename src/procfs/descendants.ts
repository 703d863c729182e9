import { readStat } from './identity.js';
import type { Procfs } from './procfs.js';

/** A process as a listing found it; the two together are never another process's. */
export interface ListedProcess {
  readonly pid: number;
  /** Clock ticks since boot. */
  readonly startTimeTicks: bigint;
}

/** The process and all that descend from it, as /proc lists them now. Empty where the process is not there. */
export function descendants(procfs: Procfs, root: number): ListedProcess[] {
  const children = new Map<number, ListedProcess[]>();
  const found: ListedProcess[] = [];
  for (const pid of procfs.pids().pids) {
    const stat = statOf(procfs, pid);
    if (!stat) continue;
    const process = { pid, startTimeTicks: stat.startTimeTicks };
    if (pid === root) found.push(process);
    const siblings = children.get(stat.ppid);
    if (siblings) siblings.push(process);
    else children.set(stat.ppid, [process]);
  }
  // A listing is not of one moment: a pid that was reused meanwhile could make a circle.
  const taken = new Set(found.map(({ pid }) => pid));
  for (let at = 0; at < found.length; at++) {
    for (const child of children.get(found[at]?.pid ?? -1) ?? []) {
      if (taken.has(child.pid)) continue;
      taken.add(child.pid);
      found.push(child);
    }
  }
  return found;
}

/** Whether it is still the process that was listed. */
export function isStill(procfs: Procfs, { pid, startTimeTicks }: ListedProcess): boolean {
  return statOf(procfs, pid)?.startTimeTicks === startTimeTicks;
}

function statOf(procfs: Procfs, pid: number): ReturnType<typeof readStat> | null {
  try {
    return procfs.using(pid, readStat);
  } catch {
    return null;
  }
}
