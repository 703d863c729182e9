import { sameStart } from '../procfs/clock-ticks.js';
import { errorCode } from '../procfs/field-errors.js';
import { readStat } from '../procfs/identity.js';
import { hidepidOf, parseMountinfo } from '../procfs/mountinfo.js';
import type { Procfs } from '../procfs/procfs.js';
import { parseStatus } from '../procfs/status.js';
import type { HiddenProcess } from '../snapshot/schema/host.js';

/** A process as the kernel's own event named it. */
export interface SeenProcess {
  pid: number;
  startTimeNs: string | null;
  comm: string | null;
}

/**
 * The processes that the kernel saw, that still live, and that the listing of /proc leaves out. A process that ended is
 * not among them, nor is one that started between two looks.
 *
 * @param exists asks the kernel for a process without /proc; kill(2) with signal 0 by default, which sends nothing
 */
export function hiddenProcesses(
  kernelSaw: readonly SeenProcess[],
  procfs: Procfs,
  exists: (pid: number) => boolean | null = answersKill,
): HiddenProcess[] {
  const listed = new Set(procfs.pids().pids);
  const suspects = kernelSaw.filter(({ pid }) => !listed.has(pid)).flatMap((seen) => examine(seen, procfs, exists));
  if (suspects.length === 0) return [];
  const later = new Set(procfs.pids().pids);
  const explanation = hidden(procfs) ? 'hidepid' : null;
  return suspects.filter(({ pid }) => !later.has(pid)).map((suspect) => ({ ...suspect, explanation }));
}

/** True where the kernel knows the pid, even if it may not be signalled; null where it cannot be asked. */
export function answersKill(pid: number): boolean | null {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    const code = errorCode(error);
    if (code === 'EPERM') return true;
    return code === 'ESRCH' ? false : null;
  }
}

function examine(
  { pid, startTimeNs, comm }: SeenProcess,
  procfs: Procfs,
  exists: (pid: number) => boolean | null,
): Omit<HiddenProcess, 'explanation'>[] {
  const directory = directoryOf(pid, startTimeNs, procfs);
  // /proc/TID can be opened by name although only leaders are listed, and a pid may be another process's by now.
  if (directory === 'not-this-process') return [];
  const alive = exists(pid);
  if (directory === 'none' && alive !== true) return [];
  return [{ pid, startTimeNs, comm, hasDirectory: directory === 'own', answersKill: alive }];
}

function directoryOf(pid: number, startTimeNs: string | null, procfs: Procfs): 'own' | 'none' | 'not-this-process' {
  try {
    return procfs.using(pid, (directory) => {
      const status = parseStatus(directory.read('status', MAX_STATUS).bytes.toString('latin1'));
      if (status.tgid !== null && status.tgid !== pid) return 'not-this-process';
      const { startTimeTicks } = readStat(directory);
      const same = startTimeNs === null || sameStart(BigInt(startTimeNs), startTimeTicks, procfs.ticksPerSecond);
      return same ? 'own' : 'not-this-process';
    });
  } catch {
    return 'none';
  }
}

function hidden(procfs: Procfs): boolean {
  try {
    const mounts = parseMountinfo(procfs.read('self/mountinfo', MAX_MOUNTINFO).bytes.toString('utf8'));
    return hidepidOf(mounts, procfs.root) !== null;
  } catch {
    return false;
  }
}

const MAX_STATUS = 1024 * 1024;
const MAX_MOUNTINFO = 4 * 1024 * 1024;
