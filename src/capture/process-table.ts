import { containerOf, systemdUnitsOf } from '../procfs/container.js';
import { emptyProcess } from '../procfs/process-row.js';
import { hostStrings, textFields } from '../procfs/text.js';
import type { ExitRecord, KernelTask, ProcessRecord } from '../native/records.js';
import type { Handshake } from '../snapshot/schema/handshake.js';
import type { Process } from '../snapshot/schema/process.js';

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

  /** What /proc said; a later reading of the same process (after an exec) replaces what it could read. */
  proc(row: Process): void {
    if (row.startTimeNs === null) return;
    const key = keyOf(row.pid, BigInt(row.startTimeNs));
    if (row.sources.length > 0 || !this.#rows.has(key)) this.#rows.set(key, row);
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
    const row = this.#rows.get(key);
    const exe = viewAt(this.#views.get(key), bootTimeNs)?.exe ?? null;
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
      container: (row?.container ?? containerOf(cgroup === null ? [] : [cgroup]))?.id ?? null,
      attribution,
      sender: sender && senderOf(sender),
    };
  }

  /** Name and executable of a process that only a descriptor of its socket points to. */
  known(pid: number, startTimeNs: bigint): Process | undefined {
    return this.#rows.get(keyOf(pid, startTimeNs));
  }

  /** The rows of `processes.ndjson`, in order of pid and start. */
  *rows(formatBoot: (bootTimeNs: bigint) => string): Generator<Process> {
    const keys = new Set([...this.#views.keys(), ...this.#rows.keys()]);
    for (const key of [...keys].sort(byPidAndStart)) {
      const views = this.#views.get(key) ?? [];
      const exit = this.#exits.get(key);
      const first = views[0];
      const row = merged(this.#rows.get(key), views.at(-1)?.record, (task) => this.#cgroupOf(task, undefined));
      yield {
        ...row,
        firstSeen: first ? formatBoot(first.bootTimeNs) : null,
        exited: exit ? formatBoot(exit.bootTimeNs) : null,
        exitCode: exit ? exit.exitCode : null,
      };
    }
  }

  #cgroupOf(task: KernelTask, row: Process | undefined): string | null {
    return row?.cgroup ?? this.#cgroups.get(task.cgroupId) ?? null;
  }
}

/** The identity that held when it happened: the last one told before, or the first. */
function viewAt(views: readonly KernelView[] | undefined, bootTimeNs: bigint): ProcessRecord | undefined {
  const before = views?.findLast((view) => view.bootTimeNs <= bootTimeNs);
  return (before ?? views?.[0])?.record;
}

/** /proc's row where there is one, filled up by what the kernel told; the kernel's alone where the process was gone. */
function merged(
  row: Process | undefined,
  record: ProcessRecord | undefined,
  cgroupOf: (task: KernelTask) => string | null,
): Process {
  if (!record) return row ?? emptyProcess(0);
  const told = fromKernel(record, cgroupOf(record.task));
  if (!row) return told;
  const filled = Object.entries(told).filter(([name, value]) => value !== null && isMissing(row, name));
  return { ...row, ...Object.fromEntries(filled), sources: [...row.sources, 'kernel'], errors: row.errors };
}

function isMissing(row: Process, name: string): boolean {
  const base = name.replace(/Raw$/, '');
  return (row as unknown as Record<string, unknown>)[base] === null;
}

function fromKernel(
  { task, nsPid, exe, exeDeleted, exeInode, exeDevice, cmdline, cmdlineCut, ancestors }: ProcessRecord,
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
    errors: cmdlineCut ? [{ field: 'cmdline', code: 'TRUNCATED' }] : [],
  };
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
