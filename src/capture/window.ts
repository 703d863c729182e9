import { HOST_ROOTS } from '../host/host-facts.js';
import { loadingEnvironment } from '../host/own-view.js';
import { clockStepNs } from '../host/clocks.js';
import { HostReader } from '../host/reader.js';
import { readClocks } from '../native/clocks.js';
import { bpfObjects } from '../native/inventory.js';
import type { Counters } from '../native/session.js';
import type { Scope } from '../native/scope.js';
import { withOwners } from '../procfs/bpf-holders.js';
import { Procfs } from '../procfs/procfs.js';
import type { BpfObjects, Host } from '../snapshot/schema/host.js';
import type { Recipients } from '../snapshot/encryption.js';
import type { Manifest } from '../snapshot/schema/manifest.js';
import type { Process } from '../snapshot/schema/process.js';
import { relatedCgroups, type WatchedCgroup } from './cgroup2.js';
import { DrainThread, type LoadedPrograms } from './drain.js';
import { HostNotes } from './host-notes.js';
import type { Note } from './notes.js';
import { ProcessWatcher, unreadProcesses } from './process-watcher.js';
import { Rehandshake } from './rehandshake.js';
import { SHARED_MEMORY } from './spool-place.js';
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

interface Armed extends Before {
  readonly loaded: LoadedPrograms;
}

class LiveWindow {
  readonly #options: WindowOptions;
  readonly #reader: HostReader;
  readonly #rehandshake: Rehandshake;
  readonly #drain: DrainThread;
  readonly #watcher: ProcessWatcher;
  readonly #host: HostNotes;
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
    const { cgroup, scope } = options;
    this.#host = new HostNotes(reader, { mount: cgroup.mount, cgroup: cgroup.path, scope }, (note) => this.#note(note));
    this.#watcher = new ProcessWatcher(reader, options.environ ? 'all' : 'none', {
      onRow: (row) => {
        this.#host.process(row);
        options.onProcess?.(row);
      },
      onExit: (pid, startTimeNs) => this.#host.exited(pid, startTimeNs),
    });
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
    const armed = await this.#arm();
    try {
      const before = await this.#lookRound(armed);
      const endedBy = await this.#wait();
      await this.#close(before, endedBy);
    } catch (error) {
      throw withRecovery(error, this.#options.spool);
    }
  }

  terminate(): Promise<void> {
    return this.#drain.terminate();
  }

  /** Loads and attaches. Where that fails there is no spool. */
  async #arm(): Promise<Armed> {
    const options = this.#options;
    if (options.scope.pid !== null) assertProcess('--pid', options.scope.pid);
    const hostFacts = this.#reader.host({
      roots: HOST_ROOTS,
      self: { pid: process.pid, environment: loadingEnvironment(process.env) },
    });
    hostFacts.catch(() => undefined);
    const loaded = await this.#drain.loaded();
    const host = await hostFacts;
    const ours = new Set(loaded.programs.map(({ id }) => id));
    const bpfBefore = bpfObjects(ours, relatedCgroups(options.cgroup));
    const clocks = readClocks();
    await this.#drain.attach(options.cgroup.directory, {
      note: 'start',
      spoolVersion: 1,
      source: 'live',
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
    return { loaded, host, bpfBefore, ours, clocks };
  }

  /** The sockets are listed when the programs watch already: no gap between both. */
  async #lookRound({ loaded, ...armed }: Armed): Promise<Before> {
    const options = this.#options;
    this.#deadline = performance.now() + options.windowMs;
    options.onArmed?.();
    this.#host.act('file-written', options.spool, 'the spool');
    this.#host.act('host-read', '/proc /sys /etc', 'what host.json holds');
    for (const { name, id } of loaded.maps) this.#host.act('map-created', name, `id ${id}`);
    for (const { name, id, tag } of loaded.programs) this.#host.act('program-loaded', name, `id ${id} tag ${tag}`);
    this.#host.act('link-attached', options.cgroup.path, loaded.programs.map(({ name }) => name).join(' '));
    this.#host.cgroups();
    const holders = await this.#host.sockets('start', (rows) => this.#rehandshake.consider(rows));
    for (const target of this.#rehandshake.unmet())
      this.#note({
        note: 'limit',
        text: `--rehandshake ${target}: no open connection was found that could be closed.`,
      });
    for (const { action, subject, detail } of this.#rehandshake.run(new Procfs()))
      this.#host.act(action, subject, detail);
    return { ...armed, bpfBefore: withOwners(armed.bpfBefore, holders) };
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
    this.#host.act('link-detached', this.#options.cgroup.path, null);
    this.#host.cgroups();
    const [settled, holders] = await Promise.all([this.#watcher.settle(SETTLE_MS), this.#host.sockets('end')]);
    for (const text of unreadProcesses(settled, this.#watcher)) this.#note({ note: 'limit', text });
    const { host, bpfBefore, ours } = before;
    const bpfAfter = withOwners(bpfObjects(ours, relatedCgroups(this.#options.cgroup)), holders);
    await this.#drain.finish([
      {
        note: 'host',
        host: {
          ...host,
          bpf: { before: bpfBefore, after: bpfAfter },
          clockStepNs: clockStepNs(before.clocks, clocks),
          hiddenProcesses: this.#host.hidden(),
        },
      },
      { note: 'end', endedBy, clocks },
    ]);
  }

  #progress(counters: Counters): void {
    const remainingMs = Math.max(0, this.#deadline - performance.now());
    this.#options.onProgress?.({ remainingMs, processes: this.#watcher.seen, counters });
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

/** What a power cut may take at most. */
const SYNC_MS = 1000;
/** A host with thousands of processes at the end of the window takes a few seconds; one that hangs is not waited for. */
const SETTLE_MS = 10_000;
