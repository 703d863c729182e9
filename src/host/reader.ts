import type { ChildProcess } from 'node:child_process';
import { TlsnapError } from '../errors.js';
import type { HostRequest } from './host-facts.js';
import type { Host } from '../snapshot/schema/host.js';
import type { Process } from '../snapshot/schema/process.js';
import type { Socket } from '../snapshot/schema/socket.js';
import type { HashLimits } from '../procfs/executable.js';
import { errorCode } from '../procfs/field-errors.js';
import { readIdentity, type ProcessIdentity } from '../procfs/identity.js';
import { Lane, LaneHung } from './lane.js';
import { emptyProcess, readProcess, RISKY_FIELDS, type ProcessRequest } from '../procfs/process-row.js';
import { Procfs } from '../procfs/procfs.js';
import type { SocketSweep, SweepLimits } from '../procfs/socket-sweep.js';

export interface ReaderOptions {
  /** Where /proc is mounted. */
  root?: string;
  /** How long one field may take before its reading is given up, in ms. */
  fieldMs?: number;
  hash?: Partial<HashLimits>;
  sweep?: Partial<SweepLimits>;
  /** Once so many reading processes hang for good, nothing that may hang is touched any more. */
  maxHung?: number;
}

export interface ReadOptions {
  /** The kernel's start time; see ProcessRequest. */
  startTimeNs?: string;
  environ?: ProcessRequest['environ'];
  /** Hash the executable; true unless said otherwise. */
  hash?: boolean;
}

/**
 * Reads processes, sockets and host facts off the main thread, and comes back from each whatever the host does: a
 * field that hangs is null with the error TIMEOUT. Close it when done.
 */
export class HostReader {
  readonly #procfs: Procfs;
  readonly #metadata: Lane;
  readonly #content: Lane;
  readonly #sweepLimits: SweepLimits;
  readonly #hashMs: number;
  readonly #maxHung: number;
  readonly #hungDevices = new Set<string>();
  readonly #hung = new Set<ChildProcess>();

  constructor(options: ReaderOptions = {}) {
    const root = options.root ?? '/proc';
    const hash = { ...HASH_LIMITS, ...options.hash };
    const limits = { silenceMs: options.fieldMs ?? FIELD_MS, startMs: START_MS };
    const abandon = (child: ChildProcess): void => {
      this.#hung.add(child);
      child.on('exit', () => this.#hung.delete(child));
    };
    this.#procfs = new Procfs(root);
    this.#metadata = new Lane({ root, hash }, limits, abandon);
    this.#content = new Lane({ root, hash }, limits, abandon);
    this.#sweepLimits = { ...SWEEP_LIMITS, ...options.sweep };
    this.#hashMs = hash.maxMs;
    this.#maxHung = options.maxHung ?? MAX_HUNG;
  }

  /** Reading processes that hang and that not even SIGKILL has ended; they end when what they wait for does. */
  get hung(): number {
    return this.#hung.size;
  }

  /** Clock ticks a second, for comparing start times. */
  get ticksPerSecond(): number {
    return this.#procfs.ticksPerSecond;
  }

  /** At once, on the calling thread, in about 0.1 ms: only what cannot hang. */
  identify(pid: number): ProcessIdentity {
    return readIdentity(this.#procfs, pid);
  }

  /** Everything; never rejects, what could not be read is in `errors`. */
  async read(pid: number, options: ReadOptions = {}): Promise<Process> {
    const aliveAt = BigInt(Date.now()) * 1_000_000n;
    const row = await this.#readMetadata(pid, options);
    if (options.hash === false || row.exe === null) return row;
    const untouchable = row.errors.some(({ field, code }) => field === 'exeFile' && NOT_READ.has(code));
    if (untouchable || this.#exhausted) return row;
    // By name only where the inode is known, and where the name means the same to us as to the process.
    return this.#addHash(row, row.root === '/' ? nameOf(row) : null, aliveAt);
  }

  /**
   * Adds the digest of the executable of a process that is gone, of which `row` says only what the kernel told: the file
   * that has the name now, if it is the same inode and was not changed since. One on a device that hung before is left alone.
   * @param aliveAt nanoseconds since 1970 when the kernel saw the process
   */
  async hashGone(row: Process, aliveAt: bigint): Promise<Process> {
    const path = nameOf(row);
    const hung = row.exeDevice !== null && this.#hungDevices.has(row.exeDevice);
    return this.#exhausted || hung || path === null ? row : this.#addHash(row, path, aliveAt);
  }

  /** Every socket with its owners, in batches. Rejects only with what the lane's process could not survive. */
  async sockets(when: Socket['when'], onRows: (rows: Socket[]) => void): Promise<SocketSweep> {
    const limits = this.#sweepLimits;
    return this.#content.ask({ kind: 'sockets', when, limits }, onRows, limits.maxMs + FIELD_MS);
  }

  /** Facts of the whole host, for `host.json`. Rejects with a TlsnapError where no process of ours could read them. */
  async host(request: HostRequest): Promise<Host> {
    try {
      return await this.#content.ask({ kind: 'host', request }, undefined, HOST_MS);
    } catch (error) {
      throw new TlsnapError(
        'unavailable',
        'a process of our own to read /proc',
        `did not come back with what it says of this host (${errorCode(error)})`,
        ['See whether this user may start processes here (ulimit -u, pids.max), and whether reading /proc hangs.'],
        error,
      );
    }
  }

  /** Ends the reading processes; one that hangs for good is left to the kernel. */
  close(): void {
    this.#metadata.close();
    this.#content.close();
  }

  async #readMetadata(pid: number, options: ReadOptions): Promise<Process> {
    const request: ProcessRequest = {
      pid,
      ...(options.startTimeNs !== undefined && { startTimeNs: options.startTimeNs }),
      environ: options.environ ?? 'none',
      skip: [],
      hungDevices: [...this.#hungDevices],
    };
    const timedOut = new Set<string>();
    for (;;) {
      const exhausted = this.#exhausted;
      if (exhausted) request.skip = [...RISKY_FIELDS];
      const skipped = request.skip.map((field) => ({ field, code: timedOut.has(field) ? 'TIMEOUT' : 'ABANDONED' }));
      try {
        // What cannot hang can as well be read right here.
        const row = exhausted
          ? readProcess(this.#procfs, request)
          : await this.#metadata.ask({ kind: 'process', request: { ...request } });
        return { ...row, errors: [...row.errors, ...skipped] };
      } catch (error) {
        const fault = { field: 'process', code: errorCode(error) };
        if (!(error instanceof LaneHung) || request.skip.length > 0) {
          return { ...emptyProcess(pid), errors: [...skipped, fault] };
        }
        if (error.at !== null) timedOut.add(error.at);
        // A file of a device that is now known is passed over by itself, and the rest is still read. What else hung is
        // the process's own doing: of it, nothing is tried again that comes at or after that field.
        if (this.#learn(error)) request.hungDevices = [...this.#hungDevices];
        else
          request.skip = RISKY_FIELDS.slice(Math.max(0, (RISKY_FIELDS as readonly string[]).indexOf(error.at ?? '')));
      }
    }
  }

  async #addHash(row: Process, path: string | null, aliveAt: bigint): Promise<Process> {
    const expect =
      row.exeDevice === null || row.exeInode === null
        ? null
        : { device: row.exeDevice, inode: row.exeInode, notChangedAfter: String(aliveAt) };
    try {
      const { pid, startTimeNs } = row;
      const question = { kind: 'hash', pid, startTimeNs, path, expect } as const;
      const found = await this.#content.ask(question, undefined, this.#hashMs + FIELD_MS);
      return {
        ...row,
        exeSize: found.size,
        exeSha256: found.sha256,
        exeBuildId: found.buildId,
        exeHashedFrom: found.from,
      };
    } catch (error) {
      if (error instanceof LaneHung) this.#learn(error);
      return { ...row, errors: [...row.errors, { field: 'exeSha256', code: errorCode(error) }] };
    }
  }

  get #exhausted(): boolean {
    return this.#hung.size >= this.#maxHung;
  }

  /** Was that a device not known to hang before? */
  #learn({ device }: LaneHung): boolean {
    if (device === null || this.#hungDevices.has(device)) return false;
    this.#hungDevices.add(device);
    return true;
  }
}

/** The executable's path, where the file that it leads to can be told from any other. */
function nameOf({ exe, exeRaw, exeDeleted, exeDevice, exeInode }: Process): string | null {
  const isKnown = exeDevice !== null && exeInode !== null && exeDeleted === false && exeRaw === undefined;
  return isKnown && exe?.startsWith('/') ? exe : null;
}

const NOT_READ: ReadonlySet<string> = new Set(['TIMEOUT', 'ABANDONED']);
const FIELD_MS = 2_000;
/** Starting Node takes 50 ms; a host under attack is slow. */
const START_MS = 20_000;
const HOST_MS = 10_000;
const HASH_LIMITS: HashLimits = { maxBytes: 1024 ** 3, maxMs: 30_000 };
const SWEEP_LIMITS: SweepLimits = { maxSockets: 1_000_000, maxMs: 30_000 };
const MAX_HUNG = 8;
