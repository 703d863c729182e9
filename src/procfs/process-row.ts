import { fitted } from '../byte-budget.js';
import { MAX_LINE_BYTES } from '../snapshot/bounds.js';
import type { Process } from '../snapshot/schema/process.js';
import { sameStart } from './clock-ticks.js';
import { statExecutable, type ExecutableFacts } from './executable.js';
import { errorCode, FieldReader, ReadFault } from './field-errors.js';
import { identityFields, readStat } from './identity.js';
import { buildIdOfMapped, mappedLibraries } from './libraries.js';
import { parseMaps, type MappedFile } from './maps.js';
import { readNamespaces } from './namespaces.js';
import { readParents } from './parents.js';
import type { ProcessDirectory, Procfs } from './procfs.js';
import { readSockets } from './sockets-of-process.js';
import { parseStatus, type ProcessStatus } from './status.js';
import { hostStrings, textFields } from './text.js';

/** How a process is to be read. Everything can cross to another process as a message. */
export interface ProcessRequest {
  pid: number;
  /** The kernel's start time; another process that has the pid by now is not read, but said (REUSED). */
  startTimeNs?: string;
  /** Environment: not at all, only what steers the dynamic loader, or all of it. It holds secrets. */
  environ: 'none' | 'loader' | 'all';
  /** Fields that hung before, and are not tried again. */
  skip: string[];
  /** Devices (major:minor) whose files hung before; their files are not touched. */
  hungDevices: string[];
}

/** Told before a field that may never return, with the device whose file is touched, where it is one. */
export type Starting = (field: RiskyField, device: string | null) => void;

/**
 * The fields that need the lock of the process's memory map or touch files of its mounts, in the order in which they are
 * read. A thread that waits for a page of a hung mount can hold that lock for ever; the executable and the libraries can
 * themselves be on such a mount. (Pages of a file under the arguments are no danger since 4.17: commit 7f7ccc2ccc2e.)
 */
export const RISKY_FIELDS = ['cmdline', 'maps', 'exeFile', 'libraries', 'environ'] as const;
export type RiskyField = (typeof RISKY_FIELDS)[number];

/**
 * Everything /proc says about a process, as far as a row of a snapshot can hold it, but not the digest of its executable. May hang in a risky field, so it is to
 * be called in a process that can be given up (see src/host/reader.ts). A process that vanishes half-way yields what was read.
 */
export function readProcess(procfs: Procfs, request: ProcessRequest, starting?: Starting): Process {
  const row: Process = { ...emptyProcess(request.pid), readAt: now(), sources: ['proc'] };
  if (request.startTimeNs !== undefined) row.startTimeNs = request.startTimeNs;
  try {
    const told = procfs.using(request.pid, (directory) => fill(row, procfs, directory, request, starting));
    return (
      fitted(told, MAX_LINE_BYTES)?.row ?? { ...row, sources: [], errors: [{ field: 'process', code: 'TOO_LARGE' }] }
    );
  } catch (error) {
    return { ...row, sources: [], errors: [{ field: 'process', code: errorCode(error) }] };
  }
}

/** A row that knows nothing but the pid. */
export function emptyProcess(pid: number): Process {
  return { ...NOTHING_KNOWN, pid, sources: [], errors: [] };
}

function fill(
  row: Process,
  procfs: Procfs,
  directory: ProcessDirectory,
  request: ProcessRequest,
  starting: Starting | undefined,
): Process {
  const fields = new FieldReader(() => directory.alive());
  const identity = identityFields(procfs, directory, fields);
  const ticks = identity.startTimeTicks === null ? null : BigInt(identity.startTimeTicks);
  if (request.startTimeNs !== undefined && ticks !== null) {
    if (!sameStart(BigInt(request.startTimeNs), ticks, procfs.ticksPerSecond)) {
      return { ...row, sources: [], errors: [{ field: 'process', code: 'REUSED' }] };
    }
    identity.startTimeNs = request.startTimeNs;
  }
  const status = fields.get('status', () => readStatus(directory));
  // A thread can be opened by name as if it were a process.
  if (status && status.tgid !== null && status.tgid !== request.pid) fields.note('process', 'THREAD');
  Object.assign(row, identity, statusFields(status), linkFields(directory, fields), {
    sockets: fields.get('sockets', () => readSockets(directory, fields)),
    parents: identity.ppid === null ? null : readParents(procfs, identity.ppid, ticks),
  });
  Object.assign(row, riskyFields(row, directory, fields, request, starting));
  noteReuse(procfs, request.pid, ticks, fields);
  return { ...row, errors: fields.errors };
}

function statusFields(status: ProcessStatus | null): Partial<Process> {
  if (!status) return {};
  const { uids, gids, groups, nsPids, threads, tracerPid, seccomp, noNewPrivs, capabilities } = status;
  const own = { uid: uids?.real ?? null, gid: gids?.real ?? null };
  return { ...own, uids, gids, groups, nsPids, threads, tracerPid, seccomp, noNewPrivs, capabilities };
}

function linkFields(directory: ProcessDirectory, fields: FieldReader): Partial<Process> {
  const audit = (name: string): number | null =>
    fields.optional(name, () => auditId(directory.read(name, 32).bytes.toString('latin1')));
  // Of a zombie and of a kernel thread these links lead nowhere, and the kernel says ENOENT.
  return {
    ...textFields(
      'cwd',
      fields.optional('cwd', () => directory.link('cwd')),
    ),
    ...textFields(
      'root',
      fields.optional('root', () => directory.link('root')),
    ),
    namespaces: readNamespaces(directory, fields),
    loginUid: audit('loginuid'),
    auditSession: audit('sessionid'),
  };
}

function riskyFields(
  row: Process,
  directory: ProcessDirectory,
  fields: FieldReader,
  request: ProcessRequest,
  starting: Starting | undefined,
): Partial<Process> {
  const hung = new Set(request.hungDevices);
  const risky = <T>(field: RiskyField, device: string | null, read: () => T): T | null => {
    if (fields.gone || request.skip.includes(field)) return null;
    if (device !== null && hung.has(device)) {
      fields.note(field, 'TIMEOUT');
      return null;
    }
    starting?.(field, device);
    return fields.get(field, read);
  };

  const strings = risky('cmdline', null, () => readStrings(directory, 'cmdline', MAX_CMDLINE, fields));
  const maps = risky('maps', null, () => readMaps(directory, fields));
  const exeDevice = maps?.find((file) => file.path.toString('utf8') === row.exe)?.device ?? null;
  const exe = row.exe === null ? null : risky('exeFile', exeDevice, () => statExecutable(directory));
  const buildId = (file: MappedFile) => risky('libraries', file.device, () => buildIdOfMapped(directory, file));
  const libraries = maps && mappedLibraries(maps, row.exe, buildId);
  return {
    cmdline: strings && strings.values,
    ...(strings?.raw !== undefined && { cmdlineRaw: strings.raw }),
    ...(exe && exeFields(exe)),
    tlsLibraries: libraries && libraries.tlsLibraries,
    unusualLibraries: libraries && libraries.unusualLibraries,
    ...environment(request.environ, () =>
      risky('environ', null, () => readStrings(directory, 'environ', MAX_ENVIRON, fields)),
    ),
  };
}

function exeFields({ path, deleted, memfd, size, device, inode }: ExecutableFacts): Partial<Process> {
  return {
    ...textFields('exe', path),
    exeDeleted: deleted,
    exeMemfd: memfd,
    exeSize: size,
    exeDevice: device,
    exeInode: inode,
  };
}

function environment(
  wanted: ProcessRequest['environ'],
  read: () => { values: string[]; raw?: string } | null,
): Partial<Process> {
  if (wanted === 'none') return {};
  const strings = read();
  if (!strings) return {};
  const loaderEnvironment = strings.values.filter((value) => LOADER_VARIABLES.test(value));
  if (wanted === 'loader') return { loaderEnvironment };
  return {
    loaderEnvironment,
    environ: strings.values,
    ...(strings.raw !== undefined && { environRaw: strings.raw }),
  };
}

function readStrings(directory: ProcessDirectory, name: 'cmdline' | 'environ', limit: number, fields: FieldReader) {
  const { bytes, truncated } = directory.read(name, limit);
  if (truncated) fields.note(name, 'TRUNCATED');
  return hostStrings(bytes);
}

function readMaps(directory: ProcessDirectory, fields: FieldReader): MappedFile[] {
  const { bytes, truncated } = directory.read('maps', MAX_MAPS);
  if (truncated) fields.note('maps', 'TRUNCATED');
  return parseMaps(bytes);
}

function readStatus(directory: ProcessDirectory): ProcessStatus {
  return parseStatus(directory.read('status', MAX_STATUS).bytes.toString('latin1'));
}

/** The handle cannot be fooled, but a pid that changed hands while it was read is worth knowing. */
function noteReuse(procfs: Procfs, pid: number, ticks: bigint | null, fields: FieldReader): void {
  if (ticks === null) return;
  try {
    const later = procfs.using(pid, (directory) => readStat(directory).startTimeTicks);
    if (later !== ticks) fields.note('process', 'REUSED');
  } catch {
    if (!fields.gone) fields.note('process', 'ESRCH');
  }
}

/** The kernel writes "never set" as the largest number. */
function auditId(text: string): number | null {
  const id = /^\d{1,10}$/.test(text.trim()) ? Number(text) : NaN;
  if (!Number.isInteger(id) || id > 0xffff_ffff) throw new ReadFault('MALFORMED');
  return id === 0xffff_ffff ? null : id;
}

/** RFC 3339 in nanoseconds, of which milliseconds are known. */
function now(): string {
  return new Date().toISOString().replace('Z', '000000Z');
}

/** Linux takes 6 MiB of arguments, 128 KiB each; what is cut off is noted. */
const MAX_CMDLINE = 256 * 1024;
const MAX_ENVIRON = 256 * 1024;
/** Chromium's are some 200 KiB, a JVM's 1 MiB; 65,530 mappings is the default limit. */
const MAX_MAPS = 16 * 1024 * 1024;
const MAX_STATUS = 1024 * 1024;

/** What makes ld.so load other code (ld.so(8)). */
const LOADER_VARIABLES = /^(?:LD_PRELOAD|LD_AUDIT|LD_LIBRARY_PATH)=/;

const NOTHING_KNOWN: Omit<Process, 'pid' | 'sources' | 'errors'> = {
  startTimeNs: null,
  startTimeTicks: null,
  readAt: null,
  ppid: null,
  comm: null,
  state: null,
  kernelThread: null,
  uid: null,
  gid: null,
  uids: null,
  gids: null,
  groups: null,
  nsPids: null,
  threads: null,
  tracerPid: null,
  seccomp: null,
  noNewPrivs: null,
  capabilities: null,
  exe: null,
  exeDeleted: null,
  exeMemfd: null,
  exeSize: null,
  exeDevice: null,
  exeInode: null,
  exeSha256: null,
  exeBuildId: null,
  exeHashedFrom: null,
  cmdline: null,
  cwd: null,
  root: null,
  cgroup: null,
  cgroupsV1: null,
  container: null,
  systemdUnit: null,
  systemdUserUnit: null,
  namespaces: null,
  loginUid: null,
  auditSession: null,
  sockets: null,
  tlsLibraries: null,
  unusualLibraries: null,
  parents: null,
  firstSeen: null,
  exited: null,
  exitCode: null,
};
