import type { HostReader } from '../host/reader.js';
import { readClocks } from '../native/clocks.js';
import { kernelRecords, type ExitRecord, type KernelTask, type ProcessRecord } from '../native/records.js';
import { sameStart } from '../procfs/clock-ticks.js';
import { emptyProcess } from '../procfs/process-row.js';
import { kernelRow } from './kernel-row.js';
import { WallClock } from './wall-clock.js';
import type { Process } from '../snapshot/schema/process.js';

export interface WatcherEvents {
  /** What was read of a process; a later row of the same one knows more. */
  readonly onRow: (row: Process) => void;
  /** A process has ended, and nothing more will be told of it. */
  readonly onExit: (pid: number, startTimeNs: string) => void;
}

/** Reads each process that the kernel reports from /proc, as soon as it is reported. */
export class ProcessWatcher {
  readonly #reader: HostReader;
  readonly #environ: 'none' | 'all';
  readonly #events: WatcherEvents;
  readonly #queue: ProcessRecord[] = [];
  /** Those that are still to be read, and whether they have ended meanwhile. */
  readonly #ended = new Map<string, boolean>();
  #reading = 0;
  #idle: (() => void) | null = null;
  /** Processes reported so far. */
  seen = 0;
  /** Those of them that were not read, because too many waited already. */
  unread = 0;

  constructor(reader: HostReader, environ: 'none' | 'all', events: WatcherEvents) {
    this.#reader = reader;
    this.#environ = environ;
    this.#events = events;
  }

  /** Takes process and exit records as the ring delivered them. */
  take(records: Buffer): void {
    for (const record of kernelRecords(records)) {
      if (record.type === 'exit') this.#exited(record);
      if (record.type !== 'process') continue;
      if (!record.exec) this.seen++;
      if (record.task.kernelThread) continue;
      this.#identify(record);
      this.#enqueue(record);
    }
    this.#next();
  }

  /** Resolves when all that was reported has been read, or after `timeoutMs`. */
  async settle(timeoutMs: number): Promise<boolean> {
    if (this.#reading === 0) return true;
    const idle = new Promise<boolean>((resolve) => (this.#idle = () => resolve(true)));
    const late = new Promise<boolean>((resolve) => setTimeout(() => resolve(false), timeoutMs).unref());
    return Promise.race([idle, late]);
  }

  #enqueue(record: ProcessRecord): void {
    if (this.#queue.length >= MAX_WAITING) {
      this.unread++;
      return;
    }
    this.#queue.push(record);
    this.#ended.set(keyOf(record.task), false);
  }

  #exited({ pid, startTimeNs }: ExitRecord): void {
    const key = keyOf({ pid, startTimeNs });
    if (this.#ended.has(key)) this.#ended.set(key, true);
    else this.#events.onExit(pid, String(startTimeNs));
  }

  /** What cannot hang, at once: the process may be gone when its turn for the rest comes. */
  #identify({ task }: ProcessRecord): void {
    const identity = this.#reader.identify(task.pid);
    const ticks = identity.startTimeTicks;
    // Gone already, or the pid is another process's: the kernel's record is what there is.
    if (ticks === null || !sameStart(task.startTimeNs, BigInt(ticks), this.#reader.ticksPerSecond)) return;
    this.#events.onRow({
      ...emptyProcess(task.pid),
      ...identity,
      startTimeNs: String(task.startTimeNs),
      sources: ['proc'],
    });
  }

  #next(): void {
    while (this.#reading < PARALLEL) {
      const record = this.#queue.shift();
      if (!record) break;
      this.#reading++;
      void this.#read(record).finally(() => {
        this.#reading--;
        this.#wasRead(record);
        this.#next();
        if (this.#reading === 0) this.#idle?.();
      });
    }
  }

  /** Only now: what was read of it has been told. */
  #wasRead({ task }: ProcessRecord): void {
    const key = keyOf(task);
    if (this.#ended.get(key)) this.#events.onExit(task.pid, String(task.startTimeNs));
    this.#ended.delete(key);
  }

  async #read(record: ProcessRecord): Promise<void> {
    const { pid } = record.task;
    const startTimeNs = String(record.task.startTimeNs);
    const row = await this.#reader.read(pid, { startTimeNs, environ: this.#environ });
    if (row.sources.length > 0) this.#events.onRow(row);
    if (record.exe === null || (row.exe !== null && row.exeInode === String(record.exeInode))) return;
    // Gone, or it runs another program by now, or another process has its pid: its executable may still be there.
    const aliveAt = new WallClock(readClocks()).timeNs(record.bootTimeNs);
    this.#events.onRow(await this.#reader.hashGone(kernelRow(record, null), aliveAt));
  }
}

/** Of whom /proc was not asked, a sentence each. */
export function unreadProcesses(settled: boolean, { unread }: ProcessWatcher): string[] {
  return [
    ...(settled ? [] : ['Some processes were not read from /proc in time.']),
    ...(unread > 0 ? [`${unread} processes were not read from /proc, because too many were reported at once.`] : []),
  ];
}

function keyOf({ pid, startTimeNs }: Pick<KernelTask, 'pid' | 'startTimeNs'>): string {
  return `${pid} ${startTimeNs}`;
}

/** Metadata and digests are read by two processes; a few in flight keep both busy. */
const PARALLEL = 4;
/** What the kernel told of the rest is kept all the same. */
const MAX_WAITING = 20_000;
