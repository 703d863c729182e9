import { HOST_ROOTS } from '../host/host-facts.js';
import { hiddenProcesses, type SeenProcess } from '../host/hidden-processes.js';
import { loadingEnvironment } from '../host/own-view.js';
import { clockStepNs } from '../host/clocks.js';
import { HostReader } from '../host/reader.js';
import { readClocks } from '../native/clocks.js';
import { bpfObjects } from '../native/inventory.js';
import type { Counters } from '../native/session.js';
import { formatTimeNs } from '../snapshot/time-text.js';
import type { Scope } from '../native/scope.js';
import { descendants } from '../procfs/descendants.js';
import { Procfs } from '../procfs/procfs.js';
import type { Action } from '../snapshot/schema/action.js';
import type { BpfObjects, Host } from '../snapshot/schema/host.js';
import type { Recipients } from '../snapshot/encryption.js';
import type { Manifest } from '../snapshot/schema/manifest.js';
import type { Process } from '../snapshot/schema/process.js';
import type { Socket } from '../snapshot/schema/socket.js';
import { cgroupPaths, type WatchedCgroup } from './cgroup2.js';
import { DrainThread } from './drain.js';
import type { Note } from './notes.js';
import { ProcessWatcher } from './process-watcher.js';
import { Rehandshake } from './rehandshake.js';
import { socketInScope } from './socket-scope.js';
import { assertProcess } from './subtree.js';
import { withRecovery } from './with-recovery.js';

export interface WindowOptions {
  readonly spool: string;
  readonly windowMs: number;
  /** ISO 8601, as asked. */
  readonly asked: string;
  readonly cgroup: WatchedCgroup;
  readonly scope: Scope;
  readonly ringBytes: number;
  /** Entries of the kernel's map of fingerprints. */
  readonly mapEntries: number;
  readonly btfPath: string | null;
  readonly environ: boolean;
  /** Kept in the spool, so that what is recovered of it is encrypted too. */
  readonly encryptTo: Recipients;
  /** Kept in the spool, and applied when the snapshot is made: see Redactor. */
  readonly redact: readonly string[];
  readonly limits: WindowLimits;
  /** Whose old connections are closed when the window is open: see Rehandshake. */
  readonly rehandshake: readonly string[];
  readonly case: Manifest['case'];
  readonly toolVersion: string;
  /** Ends the window early. */
  readonly signal: AbortSignal;
  /** Told of each process that was read from /proc. */
  readonly onProcess?: (row: Process) => void;
  readonly onArmed?: () => unknown;
  readonly onProgress?: (progress: WindowProgress) => void;
}

/** What ends the window early; null for no such limit. Looked at four times a second. */
export interface WindowLimits {
  /** Bytes of the spool. The snapshot that is made of it is smaller. */
  readonly spoolBytes: number | null;
  /** Bytes of resident memory, and of a spool that is kept in memory. */
  readonly memoryBytes: number | null;
}

export interface WindowProgress {
  readonly remainingMs: number;
  readonly processes: number;
  readonly counters: Counters;
}

/**
 * Keeps the window open and fills the spool. When it throws before the window was open the spool is removed again; after
 * that it is left for `recover`.
 */
export async function keepWindow(options: WindowOptions): Promise<void> {
  const rehandshake = new Rehandshake(options.rehandshake);
  const reader = new HostReader();
  const window = new LiveWindow(options, reader, rehandshake);
  try {
    await window.run();
  } finally {
    reader.close();
    await window.terminate();
  }
}

/** What was read when the window opened. */
interface Before {
  readonly host: Host;
  readonly bpfBefore: BpfObjects | null;
  /** Ids of our programs. */
  readonly ours: ReadonlySet<number>;
  readonly clocks: ReturnType<typeof readClocks>;
}

class LiveWindow {
  readonly #options: WindowOptions;
  readonly #reader: HostReader;
  readonly #rehandshake: Rehandshake;
  readonly #drain: DrainThread;
  readonly #watcher: ProcessWatcher;
  readonly #seen = new Map<string, SeenProcess>();
  /** The draining thread's, which may fail while nobody waits for it yet. */
  #failure: Error | null = null;
  #fail: (error: Error) => void = (error) => (this.#failure = error);
  /** A limit that was reached, in words. */
  #limit: string | null = null;
  #endEarly: () => void = () => undefined;
  #deadline = 0;

  constructor(options: WindowOptions, reader: HostReader, rehandshake: Rehandshake) {
    this.#rehandshake = rehandshake;
    this.#options = options;
    this.#reader = reader;
    this.#watcher = new ProcessWatcher(reader, options.environ ? 'all' : 'none', (row) => this.#noteProcess(row));
    this.#drain = new DrainThread(
      {
        session: {
          ringBytes: options.ringBytes,
          mapEntries: options.mapEntries,
          scope: options.scope,
          btfPath: options.btfPath,
        },
        spoolDirectory: options.spool,
        syncMs: SYNC_MS,
      },
      {
        onProcesses: (records) => this.#watcher.take(records),
        onCounters: (counters, spoolBytes) => {
          this.#progress(counters);
          this.#heed(spoolBytes);
        },
        onFailure: (error) => this.#fail(error),
      },
    );
  }

  async run(): Promise<void> {
    const before = await this.#open();
    try {
      const endedBy = await this.#wait();
      await this.#close(before, endedBy);
    } catch (error) {
      throw withRecovery(error, this.#options.spool);
    }
  }

  terminate(): Promise<void> {
    return this.#drain.terminate();
  }

  /** Loads, attaches, and looks round. The sockets are listed when the programs watch already: no gap between both. */
  async #open(): Promise<Before> {
    const options = this.#options;
    if (options.scope.pid !== null) assertProcess(options.scope.pid);
    const hostFacts = this.#reader.host({
      roots: HOST_ROOTS,
      self: { pid: process.pid, environment: loadingEnvironment(process.env) },
    });
    hostFacts.catch(() => undefined);
    const loaded = await this.#drain.loaded();
    const host = await hostFacts;
    const ours = new Set(loaded.programs.map(({ id }) => id));
    const bpfBefore = bpfObjects(ours);
    const clocks = readClocks();
    await this.#drain.attach(options.cgroup.directory, {
      note: 'start',
      spoolVersion: 1,
      toolVersion: options.toolVersion,
      case: options.case,
      host: { ...host, bpf: { before: bpfBefore, after: null } },
      asked: options.asked,
      clocks,
      tier: loaded.tier,
      features: loaded.programs.map(({ name }) => name),
      missing: loaded.missing,
      cgroup: options.cgroup.path,
      scope: options.scope,
      encryptTo: options.encryptTo,
      redact: options.redact,
    });
    this.#deadline = performance.now() + options.windowMs;
    options.onArmed?.();
    this.#act('file-written', options.spool, 'the spool');
    this.#act('host-read', '/proc /sys /etc', 'what host.json holds');
    for (const { name, id, tag } of loaded.programs) this.#act('program-loaded', name, `id ${id} tag ${tag}`);
    this.#act('link-attached', options.cgroup.path, loaded.programs.map(({ name }) => name).join(' '));
    if (options.cgroup.mount !== null) this.#note({ note: 'cgroups', paths: cgroupPaths(options.cgroup.mount) });
    await this.#listSockets('start');
    for (const { action, subject, detail } of this.#rehandshake.run(new Procfs())) this.#act(action, subject, detail);
    return { host, bpfBefore, ours, clocks };
  }

  /** Until the time is over, a signal comes, a limit is reached, or the draining thread fails. */
  #wait(): Promise<Manifest['window']['endedBy']> {
    const { signal } = this.#options;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => resolve('elapsed'), Math.max(0, this.#deadline - performance.now()));
      const early = (endedBy: 'signal' | 'limit'): void => {
        clearTimeout(timer);
        resolve(endedBy);
      };
      if (signal.aborted) early('signal');
      else signal.addEventListener('abort', () => early('signal'), { once: true });
      this.#endEarly = () => early('limit');
      if (this.#limit !== null) early('limit');
      this.#fail = (error) => {
        clearTimeout(timer);
        reject(error);
      };
      if (this.#failure !== null) this.#fail(this.#failure);
    });
  }

  #heed(spoolBytes: number): void {
    if (this.#limit !== null) return;
    this.#limit = limitReached(this.#options, spoolBytes);
    if (this.#limit === null) return;
    const early = Math.max(0, Math.round((this.#deadline - performance.now()) / 1000));
    this.#note({ note: 'limit', text: `The window was ended ${early} s early: ${this.#limit}.` });
    this.#endEarly();
  }

  async #close(before: Before, endedBy: Manifest['window']['endedBy']): Promise<void> {
    await this.#drain.stop();
    const clocks = readClocks();
    this.#act('link-detached', this.#options.cgroup.path, null);
    if (this.#options.cgroup.mount !== null)
      this.#note({ note: 'cgroups', paths: cgroupPaths(this.#options.cgroup.mount) });
    const [settled] = await Promise.all([this.#watcher.settle(SETTLE_MS), this.#listSockets('end')]);
    if (!settled) this.#note({ note: 'limit', text: 'Some processes were not read from /proc in time.' });
    const { host, bpfBefore, ours } = before;
    const bpfAfter = bpfObjects(ours);
    await this.#drain.finish([
      {
        note: 'host',
        host: {
          ...host,
          bpf: { before: bpfBefore, after: bpfAfter },
          clockStepNs: clockStepNs(before.clocks, clocks),
          hiddenProcesses: hiddenProcesses([...this.#seen.values()], new Procfs()),
        },
      },
      { note: 'end', endedBy, clocks },
    ]);
  }

  async #listSockets(when: Socket['when']): Promise<void> {
    const scoped = this.#options.cgroup.path !== '/' ? this.#options.cgroup.path : null;
    this.#act('sockets-read', '/proc', `every process's descriptors and network tables, at the ${when}`);
    const subtree = this.#subtree();
    const sweep = await this.#reader.sockets(when, (rows) => {
      const ours = rows.filter((row) => this.#isWatched(row, scoped, subtree));
      if (when === 'start') this.#rehandshake.consider(ours);
      if (ours.length > 0) this.#note({ note: 'sockets', rows: ours });
    });
    if (sweep.truncated) this.#note({ note: 'limit', text: `Not all sockets were listed at the ${when}.` });
  }

  /** With a cgroup asked for, only what its processes hold: the rest of the host is not ours to keep. */
  #isWatched(socket: Socket, cgroup: string | null, subtree: ReadonlySet<number>): boolean {
    if (!socketInScope(socket, this.#options.scope, (pid) => subtree.has(pid))) return false;
    if (cgroup === null) return true;
    return socket.owners.some(({ pid }) => {
      const path = this.#reader.identify(pid).cgroup;
      return path === cgroup || path?.startsWith(`${cgroup}/`);
    });
  }

  /** The processes in scope as far as /proc and the kernel's reports tell; whom init adopted, only the latter do. */
  #subtree(): ReadonlySet<number> {
    const { pid } = this.#options.scope;
    if (pid === null) return new Set();
    const seen = [...this.#seen.values()].map((process) => process.pid);
    return new Set([...descendants(new Procfs(), pid).map((process) => process.pid), ...seen]);
  }

  #noteProcess(row: Process): void {
    // The first look, which reads a name or two, is left unsaid.
    if (row.readAt !== null) {
      const file = row.exeHashedFrom === 'process' ? `/proc/${row.pid}/exe` : row.exe;
      this.#act('process-read', String(row.pid), row.exeSha256 === null ? null : `and hashed ${file ?? ''}`);
    } else if (row.exeSha256 !== null) {
      this.#act('executable-read', row.exe ?? '', 'hashed; its process was gone');
    }
    if (row.startTimeNs !== null) this.#seen.set(`${row.pid} ${row.startTimeNs}`, row);
    this.#options.onProcess?.(row);
    this.#note({ note: 'process', row });
  }

  #progress(counters: Counters): void {
    const remainingMs = Math.max(0, this.#deadline - performance.now());
    this.#options.onProgress?.({ remainingMs, processes: this.#watcher.seen, counters });
  }

  #act(action: string, subject: string, detail: string | null): void {
    const row: Action = { time: formatTimeNs(BigInt(Date.now()) * 1_000_000n), action, subject, detail };
    this.#note({ note: 'action', action: row });
  }

  #note(note: Note): void {
    this.#drain.note(note);
  }
}

function limitReached({ limits, spool }: WindowOptions, spoolBytes: number): string | null {
  const { spoolBytes: most, memoryBytes: mostMemory } = limits;
  if (most !== null && spoolBytes >= most) return `--max-size was reached, with ${spoolBytes} bytes captured`;
  const memory = process.memoryUsage.rss() + (spool.startsWith(SHARED_MEMORY) ? spoolBytes : 0);
  return mostMemory !== null && memory >= mostMemory ? `--max-memory was reached, with ${memory} bytes in use` : null;
}

/** A tmpfs, where POSIX shared memory lies. */
export const SHARED_MEMORY = '/dev/shm';
/** What a power cut may take at most. */
const SYNC_MS = 1000;
/** A host with thousands of processes at the end of the window takes a few seconds; one that hangs is not waited for. */
const SETTLE_MS = 10_000;
