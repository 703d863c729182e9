import type { HostReader } from '../host/reader.js';
import { kernelRecords, type ProcessRecord } from '../native/records.js';
import { sameStart } from '../procfs/clock-ticks.js';
import { emptyProcess } from '../procfs/process-row.js';
import { kernelRow } from './kernel-row.js';
import type { Process } from '../snapshot/schema/process.js';

/** Reads each process that the kernel reports from /proc, as soon as it is reported. */
export class ProcessWatcher {
  readonly #reader: HostReader;
  readonly #environ: 'none' | 'all';
  readonly #onRow: (row: Process) => void;
  readonly #queue: ProcessRecord[] = [];
  #reading = 0;
  #idle: (() => void) | null = null;
  /** Processes reported so far. */
  seen = 0;

  constructor(reader: HostReader, environ: 'none' | 'all', onRow: (row: Process) => void) {
    this.#reader = reader;
    this.#environ = environ;
    this.#onRow = onRow;
  }

  /** Takes process and exit records as the ring delivered them. */
  take(records: Buffer): void {
    for (const record of kernelRecords(records)) {
      if (record.type !== 'process') continue;
      if (!record.exec) this.seen++;
      if (record.task.kernelThread) continue;
      this.#identify(record);
      this.#queue.push(record);
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

  /** What cannot hang, at once: the process may be gone when its turn for the rest comes. */
  #identify({ task }: ProcessRecord): void {
    const identity = this.#reader.identify(task.pid);
    const ticks = identity.startTimeTicks;
    // Gone already, or the pid is another process's: the kernel's record is what there is.
    if (ticks === null || !sameStart(task.startTimeNs, BigInt(ticks), this.#reader.ticksPerSecond)) return;
    this.#onRow({ ...emptyProcess(task.pid), ...identity, startTimeNs: String(task.startTimeNs), sources: ['proc'] });
  }

  #next(): void {
    while (this.#reading < PARALLEL) {
      const record = this.#queue.shift();
      if (!record) break;
      this.#reading++;
      void this.#read(record).finally(() => {
        this.#reading--;
        this.#next();
        if (this.#reading === 0) this.#idle?.();
      });
    }
  }

  async #read(record: ProcessRecord): Promise<void> {
    const { pid } = record.task;
    const startTimeNs = String(record.task.startTimeNs);
    const row = await this.#reader.read(pid, { startTimeNs, environ: this.#environ });
    if (row.sources.length > 0) this.#onRow(row);
    if (row.exe !== null || record.exe === null) return;
    // Gone: its executable may still be there.
    this.#onRow(await this.#reader.hashGone(kernelRow(record, null)));
  }
}

/** Metadata and digests are read by two processes; a few in flight keep both busy. */
const PARALLEL = 4;
