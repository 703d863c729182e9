import { DISTINCT_AFTER_NS } from '../procfs/clock-ticks.js';
import { containerOf } from '../procfs/container.js';
import { emptyProcess } from '../procfs/process-row.js';
import { hostStrings, textFields } from '../procfs/text.js';
import type { ExitRecord, KernelTask, ProcessRecord } from '../native/records.js';
import type { Handshake } from '../snapshot/schema/handshake.js';
import type { Process } from '../snapshot/schema/process.js';
import { kernelRow } from './kernel-row.js';

type HandshakeProcess = NonNullable<Handshake['process']>;

/** What a process was when a hello went out. */
interface KernelView {
  readonly bootTimeNs: bigint;
  readonly record: ProcessRecord;
}

/**
 * Every process that took part in a connection, from both sources: the kernel's records, which miss nobody, and /proc,
 * which knows more about those that lived long enough. Keyed by pid and start time, so a reused pid is two processes.
 */
export class ProcessTable {
  readonly #views = new Map<string, KernelView[]>();
  readonly #exits = new Map<string, ExitRecord>();
  readonly #rows = new Map<string, Process>();
  /** Rows of processes that were gone, of whose executables the files were read; by the executable's inode too. */
  readonly #gone = new Map<string, Process>();
  readonly #cgroups = new Map<bigint, string>();

  kernel(record: ProcessRecord): void {
    const key = keyOf(record.task.pid, record.task.startTimeNs);
    const view = {
      bootTimeNs: record.bootTimeNs,
      record: { ...record, exe: copy(record.exe), cmdline: copy(record.cmdline) },
    };
    const views = this.#views.get(key);
    if (views) views.push(view);
    else this.#views.set(key, [view]);
  }

  exit(record: ExitRecord): void {
    this.#exits.set(keyOf(record.pid, record.startTimeNs), record);
  }

  /** What was read of a process; a later reading of the same one (after an exec) replaces an earlier one. */
  read(row: Process): void {
    if (row.startTimeNs === null) return;
    const key = keyOf(row.pid, BigInt(row.startTimeNs));
    if (row.sources.includes('proc')) this.#rows.set(key, row);
    else this.#gone.set(`${key} ${row.exeInode}`, row);
  }

  cgroup(id: bigint, path: string): void {
    this.#cgroups.set(id, path);
  }

  /** The process member of a handshake, as the process was at `bootTimeNs`. */
  member(
    task: KernelTask,
    bootTimeNs: bigint,
    attribution: HandshakeProcess['attribution'],
    sender: KernelTask | null,
  ): HandshakeProcess {
    const key = keyOf(task.pid, task.startTimeNs);
    const row = this.#reading(key);
    const exe = executableOf(viewAt(this.#views.get(key), bootTimeNs), row);
    const cgroup = this.#cgroupOf(task, row);
    return {
      pid: task.pid,
      tid: task.tid,
      startTimeNs: String(task.startTimeNs),
      ppid: task.ppid,
      uid: task.uid,
      gid: task.gid,
      ...textFields('comm', task.comm),
      threadComm: task.threadComm.equals(task.comm) ? null : task.threadComm.toString('utf8'),
      ...(exe
        ? textFields('exe', exe)
        : { exe: row?.exe ?? null, ...(row?.exeRaw !== undefined && { exeRaw: row.exeRaw }) }),
      cgroup,
      container: containerIn(cgroup, row),
      attribution,
      sender: sender && senderOf(sender),
    };
  }

  /** Name and executable of a process that only a descriptor of its socket points to. */
  known(pid: number, startTimeNs: bigint): Process | undefined {
    return this.#reading(keyOf(pid, startTimeNs));
  }

  /** The rows of `processes.ndjson`, in order of pid and start. */
  *rows(formatBoot: (bootTimeNs: bigint) => string): Generator<Process> {
    const keys = new Set([...this.#views.keys(), ...this.#rows.keys()]);
    for (const key of [...keys].sort(byPidAndStart)) {
      const views = this.#views.get(key) ?? [];
      const exit = this.#exits.get(key);
      const first = views[0];
      const read = this.#reading(key);
      const row = merged(read && isOutdated(read, views) ? withoutProgram(read) : read, views.at(-1)?.record, (task) =>
        this.#cgroupOf(task, undefined),
      );
      const told = withDigest(row, this.#gone.get(`${key} ${row.exeInode}`));
      yield {
        ...told,
        ...(!read && this.#rows.has(key) && { errors: [...told.errors, { field: 'process', code: 'REUSED' }] }),
        firstSeen: first ? formatBoot(first.bootTimeNs) : null,
        exited: exit ? formatBoot(exit.bootTimeNs) : null,
        exitCode: exit ? exit.exitCode : null,
      };
    }
  }

  /** What /proc said of the process, and not of another one that got its pid so soon that /proc's times are the same. */
  #reading(key: string): Process | undefined {
    const row = this.#rows.get(key);
    return row && isAnothers(row, this.#views.get(key) ?? [], this.#exits.get(key)) ? undefined : row;
  }

  /** The kernel's word is of the moment itself; /proc was read later, and the process may have been moved. */
  #cgroupOf(task: KernelTask, row: Process | undefined): string | null {
    return this.#cgroups.get(task.cgroupId) ?? row?.cgroup ?? null;
  }
}

function containerIn(cgroup: string | null, row: Process | undefined): string | null {
  const read = row && row.cgroup === cgroup ? row.container : null;
  return (read ?? containerOf(cgroup === null ? [] : [cgroup]))?.id ?? null;
}

/** The identity that held when it happened: the last one told before, or the first. */
function viewAt(views: readonly KernelView[] | undefined, bootTimeNs: bigint): ProcessRecord | undefined {
  const before = views?.findLast((view) => view.bootTimeNs <= bootTimeNs);
  return (before ?? views?.[0])?.record;
}

/**
 * Whether a row that was read under a process's pid, with its start time, must be taken for one of the process that had the
 * pid next: their starts can look the same (`sameStart`), and the kernel said otherwise of the first. A successor with the
 * same name, program, user and arguments is not told apart, nor one where no exit was reported.
 */
function isAnothers(row: Process, views: readonly KernelView[], exit: ExitRecord | undefined): boolean {
  if (!exit || exit.bootTimeNs - exit.startTimeNs >= DISTINCT_AFTER_NS) return false;
  return views.length > 0 && views.every(({ record }) => contradicts(record, row));
}

function contradicts({ task, exe, exeCut, exeInode, cmdline, cmdlineCut }: ProcessRecord, row: Process): boolean {
  const told = cmdline && !cmdlineCut ? hostStrings(cmdline).values : null;
  const sameFile =
    row.exeInode !== null && exeInode !== 0n
      ? row.exeInode === String(exeInode)
      : row.exe === null || exe === null || exeCut || row.exe === textFields('exe', exe).exe;
  return (
    !sameFile ||
    (row.comm !== null && row.comm !== textFields('comm', task.comm).comm) ||
    (row.uid !== null && row.uid !== task.uid) ||
    // An ending process has none left.
    (told !== null && row.cmdline !== null && row.cmdline.length > 0 && row.cmdline.join('\0') !== told.join('\0'))
  );
}

/** /proc's row where there is one, filled up by what the kernel told; the kernel's alone where the process was gone. */
function merged(
  row: Process | undefined,
  record: ProcessRecord | undefined,
  cgroupOf: (task: KernelTask) => string | null,
): Process {
  if (!record) return row ?? emptyProcess(0);
  const told = kernelRow(record, cgroupOf(record.task));
  if (!row) return told;
  const filled = Object.entries(told).filter(([name, value]) => value !== null && isMissing(row, name));
  const errors = [...row.errors, ...told.errors.filter(({ field }) => isMissing(row, field))];
  return { ...row, ...Object.fromEntries(filled), sources: [...row.sources, 'kernel'], errors };
}

/** Of a path that was too long for the kernel's record /proc may know all, if it read the same program. */
function executableOf(view: ProcessRecord | undefined, row: Process | undefined): Buffer | null {
  if (!view?.exe) return null;
  return view.exeCut && row?.exeInode === String(view.exeInode) ? null : view.exe;
}

/** Whether /proc was read before an exec, and not again after it. */
function isOutdated({ exe }: Process, views: readonly KernelView[]): boolean {
  const programs = views.map(({ record }) => record.exe?.toString('utf8'));
  const last = programs.at(-1);
  return last !== undefined && last !== exe && programs.slice(0, -1).includes(exe ?? undefined);
}

/** What is left of a row when the process runs another program now. */
function withoutProgram(row: Process): Process {
  const kept = Object.entries(row).filter(([name]) => !/^(?:exe|comm|cmdline|environ|loaderEnvironment)/.test(name));
  const { exe, exeDeleted, exeMemfd, exeSize, exeDevice, exeInode, exeSha256, exeBuildId, exeHashedFrom } =
    emptyProcess(row.pid);
  const noExecutable = {
    exe,
    exeDeleted,
    exeMemfd,
    exeSize,
    exeDevice,
    exeInode,
    exeSha256,
    exeBuildId,
    exeHashedFrom,
  };
  const nothing = { ...noExecutable, comm: null, cmdline: null, tlsLibraries: null, unusualLibraries: null };
  return { ...(Object.fromEntries(kept) as Process), ...nothing };
}

/** Adds the digest that was taken of the executable's file when the process was gone. */
function withDigest(row: Process, gone: Process | undefined): Process {
  if (!gone || row.exeSha256 !== null) return row;
  const { exeSize, exeSha256, exeBuildId, exeHashedFrom, errors } = gone;
  const found = errors.filter(({ field }) => field === 'exeSha256');
  return { ...row, exeSize, exeSha256, exeBuildId, exeHashedFrom, errors: [...row.errors, ...found] };
}

/** An ending process has no memory left, and /proc an empty list of its arguments. */
function isMissing(row: Process, name: string): boolean {
  const base = name.replace(/Raw$/, '');
  if (base === 'cmdline') return row.cmdline === null || row.cmdline.length === 0;
  return (row as unknown as Record<string, unknown>)[base] === null;
}

function senderOf({ pid, tid, startTimeNs, uid, gid, comm }: KernelTask): HandshakeProcess['sender'] {
  return { pid, tid, startTimeNs: String(startTimeNs), uid, gid, ...textFields('comm', comm) };
}

function keyOf(pid: number, startTimeNs: bigint): string {
  return `${pid} ${startTimeNs}`;
}

function byPidAndStart(a: string, b: string): number {
  const [pidA = '0', startA = '0'] = a.split(' ');
  const [pidB = '0', startB = '0'] = b.split(' ');
  return Number(pidA) - Number(pidB) || (BigInt(startA) < BigInt(startB) ? -1 : 1);
}

function copy(bytes: Buffer | null): Buffer | null {
  return bytes && Buffer.from(bytes);
}
