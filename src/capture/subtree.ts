import { TlsnapError } from '../errors.js';
import { descendants, isStill } from '../procfs/descendants.js';
import { Procfs } from '../procfs/procfs.js';

/** The kernel's set of the processes in scope (Session). */
export interface PidSet {
  addPid(pid: number): void;
  removePid(pid: number): void;
}

/**
 * Puts a process and its descendants into the kernel's set. Forks are followed there already when this is called, so a
 * child of a process in the set is in it too; a round that finds nobody new proves that nobody slipped through.
 */
export function addSubtree(set: PidSet, root: number, procfs = new Procfs()): void {
  assertHostPids(procfs);
  const known = new Map<number, bigint>();
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const fresh = descendants(procfs, root).filter(({ pid, startTimeTicks }) => known.get(pid) !== startTimeTicks);
    if (fresh.length === 0) break;
    for (const process of fresh) {
      set.addPid(process.pid);
      known.set(process.pid, process.startTimeTicks);
      // Ended before it was put in, so the kernel did not take it out: the next process of this pid is another one.
      if (!isStill(procfs, process)) set.removePid(process.pid);
    }
  }
  if (known.size === 0) throw noSuchProcess('--pid', root);
}

/** @throws TlsnapError where there is no such process, before anything is loaded for it */
export function assertProcess(flag: string, pid: number, procfs = new Procfs()): void {
  if (descendants(procfs, pid).length === 0) throw noSuchProcess(flag, pid);
}

function noSuchProcess(flag: string, pid: number): TlsnapError {
  return new TlsnapError('usage', flag, `no such process: ${pid}`, [
    'Name the pid of a running process, as ps shows it.',
  ]);
}

/** The kernel counts pids from outside of every container; /proc in a container does not. */
function assertHostPids(procfs: Procfs): void {
  const namespace = procfs.using(process.pid, (self) => self.link('ns/pid').toString('latin1'));
  if (namespace === HOST_PIDS) return;
  throw new TlsnapError('unavailable', '--pid', "this is a pid namespace of its own, whose pids are not the kernel's", [
    "Run it in the host's pid namespace, or name the cgroup with --cgroup.",
  ]);
}

/** include/linux/proc_ns.h: PROC_PID_INIT_INO, 0xEFFFFFFC. */
const HOST_PIDS = 'pid:[4026531836]';
/** Two are the rule; a fork bomb must not keep a capture from beginning. */
const MAX_ROUNDS = 100;
