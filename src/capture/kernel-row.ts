import type { ProcessRecord } from '../native/records.js';
import { containerOf, systemdUnitsOf } from '../procfs/container.js';
import { emptyProcess } from '../procfs/process-row.js';
import { hostStrings, textFields } from '../procfs/text.js';
import type { FieldError, Process } from '../snapshot/schema/process.js';

/** The row of a process of which nothing is known but what the kernel's record tells. */
export function kernelRow(
  { task, nsPid, exe, exeCut, exeDeleted, exeInode, exeDevice, cmdline, cmdlineCut, ancestors }: ProcessRecord,
  cgroup: string | null,
): Process {
  const words = cmdline && hostStrings(cmdline);
  return {
    ...emptyProcess(task.pid),
    startTimeNs: String(task.startTimeNs),
    sources: ['kernel'],
    ppid: task.ppid,
    ...textFields('comm', task.comm),
    kernelThread: task.kernelThread,
    uid: task.uid,
    gid: task.gid,
    nsPids: nsPid === 0 || nsPid === task.pid ? null : [task.pid, nsPid],
    ...textFields('exe', exe),
    exeDeleted: exe && exeDeleted,
    exeMemfd: exe && exe.toString('latin1').startsWith('/memfd:'),
    exeInode: exeInode === 0n ? null : String(exeInode),
    exeDevice: exeInode === 0n ? null : exeDevice,
    cmdline: words && words.values,
    ...(words?.raw !== undefined && { cmdlineRaw: words.raw }),
    cgroup,
    container: containerOf(cgroup === null ? [] : [cgroup]),
    ...(cgroup === null ? {} : systemdUnitsOf(cgroup)),
    namespaces: {
      net: task.netns,
      pid: task.pidns,
      mnt: null,
      user: null,
      uts: null,
      ipc: null,
      cgroup: null,
      time: null,
    },
    parents: ancestors.map(({ pid, startTimeNs, comm }) => ({
      pid,
      startTimeNs: String(startTimeNs),
      ...textFields('comm', comm),
      exe: null,
    })),
    errors: [...(exeCut ? [truncated('exe')] : []), ...(cmdlineCut ? [truncated('cmdline')] : [])],
  };
}

function truncated(field: string): FieldError {
  return { field, code: 'TRUNCATED' };
}
