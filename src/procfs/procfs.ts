import { closeSync, constants, existsSync, openSync, readdirSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { readBounded, type BoundedBytes } from './bounded-read.js';
import { ticksPerSecond } from './clock-ticks.js';

/** A mounted /proc. Reads only; never follows a link into another file system unless the method says so. */
export class Procfs {
  readonly root: string;
  #ticksPerSecond: number | undefined;
  readonly #ownDescriptors: boolean;

  constructor(root = '/proc') {
    this.root = root;
    this.#ownDescriptors = existsSync(OWN_DESCRIPTORS);
  }

  /** Clock ticks a second in /proc/PID/stat. */
  get ticksPerSecond(): number {
    this.#ticksPerSecond ??= this.#readTicksPerSecond();
    return this.#ticksPerSecond;
  }

  /** The processes that the directory lists, in its order; at most `limit` of them. */
  pids(limit = MAX_PROCESSES): { pids: number[]; truncated: boolean } {
    const { numbers, truncated } = numericEntries(this.root, limit);
    return { pids: numbers, truncated };
  }

  /**
   * Pins a process: what is read through the handle is of this process or fails, even when the pid is given to
   * another one meanwhile.
   *
   * @throws ENOENT where the pid is not there (or is hidden by hidepid=2)
   */
  open(pid: number): ProcessDirectory {
    const path = join(this.root, String(pid));
    const fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
    return new ProcessDirectory(pid, path, this.#ownDescriptors ? `${OWN_DESCRIPTORS}/${fd}` : path, fd);
  }

  /** As `open`, for the time that `use` takes. */
  using<T>(pid: number, use: (directory: ProcessDirectory) => T): T {
    const directory = this.open(pid);
    try {
      return use(directory);
    } finally {
      directory.close();
    }
  }

  read(name: string, limit: number): BoundedBytes {
    return readBounded(join(this.root, name), limit);
  }

  #readTicksPerSecond(): number {
    try {
      return ticksPerSecond(this.read('self/auxv', 4096).bytes);
    } catch {
      return ticksPerSecond(Buffer.alloc(0));
    }
  }
}

/** One process's directory, held open. */
export class ProcessDirectory {
  readonly pid: number;
  /** The directory by its name, where a later process of the same pid would be found. */
  readonly path: string;
  readonly #base: string;
  #fd: number | undefined;

  constructor(pid: number, path: string, base: string, fd: number) {
    this.pid = pid;
    this.path = path;
    this.#base = base;
    this.#fd = fd;
  }

  close(): void {
    if (this.#fd === undefined) return;
    closeSync(this.#fd);
    this.#fd = undefined;
  }

  /** A path through the held directory, for what must open it by itself. */
  at(name: string): string {
    return `${this.#base}/${name}`;
  }

  read(name: string, limit: number): BoundedBytes {
    return readBounded(this.at(name), limit);
  }

  /** The text of a link; what it points to is not touched. */
  link(name: string): Buffer {
    return readlinkSync(this.at(name), { encoding: 'buffer' });
  }

  /** The entries of a sub-directory that are numbers (fd, task), at most `limit` of them. */
  numbers(name: string, limit: number): { numbers: number[]; truncated: boolean } {
    return numericEntries(this.at(name), limit);
  }

  /** Does the held process still exist? A zombie does. */
  alive(): boolean {
    try {
      return this.read('stat', 1).bytes.length > 0;
    } catch {
      return false;
    }
  }
}

/**
 * By names alone: for a process that ends meanwhile the kernel says "type unknown", and Node, where it is asked for types
 * (opendir, withFileTypes), then stats the entry and throws away the whole listing when that fails.
 */
function numericEntries(path: string, limit: number): { numbers: number[]; truncated: boolean } {
  const names = readdirSync(path).filter((name) => /^\d{1,10}$/.test(name));
  return { numbers: names.slice(0, limit).map(Number), truncated: names.length > limit };
}

const OWN_DESCRIPTORS = '/proc/self/fd';
/** PID_MAX_LIMIT of a 64-bit kernel. */
const MAX_PROCESSES = 4_194_304;
