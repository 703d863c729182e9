import type { Container, FieldError } from '../snapshot/schema/process.js';
import { allPaths, parseCgroup, primaryPath, type CgroupMembership } from './cgroup.js';
import { ticksToNs } from './clock-ticks.js';
import { containerOf, systemdUnitsOf } from './container.js';
import { errorCode, FieldReader, ReadFault } from './field-errors.js';
import type { ProcessDirectory, Procfs } from './procfs.js';
import { parseStat, type ProcessStat } from './stat.js';
import { textFields } from './text.js';

/** Who a process is: what is worth knowing even if it is gone in a millisecond. Fields as in a row of processes. */
export interface ProcessIdentity {
  pid: number;
  startTimeNs: string | null;
  startTimeTicks: string | null;
  ppid: number | null;
  comm: string | null;
  commRaw?: string;
  state: string | null;
  kernelThread: boolean | null;
  exe: string | null;
  exeRaw?: string;
  exeDeleted: boolean | null;
  exeMemfd: boolean | null;
  cgroup: string | null;
  cgroupsV1: CgroupMembership['v1'] | null;
  container: Container | null;
  systemdUnit: string | null;
  systemdUserUnit: string | null;
  errors: FieldError[];
}

/**
 * Reads stat, the exe link and cgroup: about 0.1 ms. None of them touches the process's memory or another file system,
 * so this cannot be made to hang, and may run on the main thread. (cmdline can: it needs the lock of the memory map.)
 * A process that is not there yields a row of nulls and an error, never an exception.
 */
export function readIdentity(procfs: Procfs, pid: number): ProcessIdentity {
  try {
    return procfs.using(pid, (directory) => {
      const fields = new FieldReader(() => directory.alive());
      return { ...identityFields(procfs, directory, fields), errors: fields.errors };
    });
  } catch (error) {
    return { ...NOTHING_KNOWN, pid, errors: [{ field: 'process', code: errorCode(error) }] };
  }
}

export function identityFields(
  procfs: Procfs,
  directory: ProcessDirectory,
  fields: FieldReader,
): Omit<ProcessIdentity, 'errors'> {
  const stat = fields.get('stat', () => readStat(directory));
  const exe = fields.get('exe', () => readExeLink(directory, stat));
  const membership = fields.get('cgroup', () => readCgroup(directory));
  const cgroup = membership && primaryPath(membership);
  const paths = membership ? allPaths(membership) : [];
  return {
    pid: directory.pid,
    startTimeNs: stat && String(ticksToNs(stat.startTimeTicks, procfs.ticksPerSecond)),
    startTimeTicks: stat && String(stat.startTimeTicks),
    ppid: stat && stat.ppid,
    ...textFields('comm', stat && stat.comm),
    state: stat && stat.state,
    kernelThread: stat && stat.kernelThread,
    ...textFields('exe', exe && exe.path),
    exeDeleted: exe && exe.deleted,
    exeMemfd: exe && exe.memfd,
    cgroup,
    cgroupsV1: membership && membership.v1,
    container: containerOf(paths),
    ...systemdUnitsOf(cgroup ?? '/'),
  };
}

/** @throws what reading throws, or MALFORMED */
export function readStat(directory: ProcessDirectory): ProcessStat {
  const stat = parseStat(directory.read('stat', MAX_STAT).bytes);
  if (!stat) throw new ReadFault('MALFORMED');
  return stat;
}

export interface ExeLink {
  path: Buffer;
  deleted: boolean;
  memfd: boolean;
}

/**
 * The kernel's own words: it appends " (deleted)" to what has no name any more, and calls a memory file `/memfd:NAME`.
 * A file really named so is told apart later, where the file itself is looked at.
 */
export function parseExeLink(link: Buffer): ExeLink {
  const deleted = link.length > DELETED.length && link.subarray(-DELETED.length).equals(DELETED);
  const path = deleted ? link.subarray(0, -DELETED.length) : link;
  return { path, deleted, memfd: deleted && path.subarray(0, MEMFD.length).equals(MEMFD) };
}

/** Kernel threads and zombies have no executable: null without an error. */
function readExeLink(directory: ProcessDirectory, stat: ProcessStat | null): ExeLink | null {
  if (stat && (stat.kernelThread || stat.state === 'Z' || stat.state === 'X')) return null;
  return parseExeLink(directory.link('exe'));
}

function readCgroup(directory: ProcessDirectory): CgroupMembership {
  const { bytes, truncated } = directory.read('cgroup', MAX_CGROUP);
  const membership = parseCgroup(bytes.toString('utf8'));
  if (truncated && membership.v2 === null && membership.v1.length === 0) throw new ReadFault('TOO_LARGE');
  return membership;
}

const DELETED = Buffer.from(' (deleted)');
const MEMFD = Buffer.from('/memfd:');
const MAX_STAT = 4096;
/** A dozen hierarchies of paths up to PATH_MAX. */
const MAX_CGROUP = 65536;

const NOTHING_KNOWN: Omit<ProcessIdentity, 'pid' | 'errors'> = {
  startTimeNs: null,
  startTimeTicks: null,
  ppid: null,
  comm: null,
  state: null,
  kernelThread: null,
  exe: null,
  exeDeleted: null,
  exeMemfd: null,
  cgroup: null,
  cgroupsV1: null,
  container: null,
  systemdUnit: null,
  systemdUserUnit: null,
};
