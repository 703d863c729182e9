import { open, type FileHandle } from 'node:fs/promises';
import type { Process } from '../snapshot/schema/process.js';

/** Which executables go into the snapshot. */
export const CARVE_MODES = ['none', 'deleted', 'matched', 'all'] as const;
export type CarveMode = (typeof CARVE_MODES)[number];

/** An executable to be copied: its digest, and a path at which it can be read as long as the carver is open. */
export interface CarvedExecutable {
  readonly sha256: string;
  readonly path: string;
  readonly process: Process;
}

/**
 * Holds executables open while the window lasts, so that a deleted one can still be copied when it is over: nothing is
 * written to the host's disk for that. Each different one is held once.
 */
export class Carver {
  readonly #mode: CarveMode;
  readonly #held = new Map<string, { file: FileHandle; process: Process }>();
  /** By digest. */
  readonly #opening = new Map<string, Promise<void>>();
  readonly #missed = new Set<string>();

  constructor(mode: CarveMode) {
    this.#mode = mode;
  }

  /** Takes a process whose executable was hashed. Never throws; returns at once. */
  see(process: Process): void {
    const { exeSha256 } = process;
    if (exeSha256 === null || !this.#wants(process) || this.#held.has(exeSha256)) return;
    if (this.#opening.has(exeSha256)) return;
    if (this.#held.size + this.#opening.size >= MAX_HELD) {
      this.#missed.add(exeSha256);
      return;
    }
    this.#opening.set(exeSha256, this.#hold(exeSha256, process));
  }

  /** How many of those that are to be copied could not be held, because there were too many, or they were gone. */
  missed(matched: ReadonlySet<string>): number {
    return [...this.#missed].filter((sha256) => this.#mode !== 'matched' || matched.has(sha256)).length;
  }

  /** What is to be copied; `matched` says which digests a feed names. */
  async executables(matched: ReadonlySet<string>): Promise<CarvedExecutable[]> {
    await Promise.all(this.#opening.values());
    return [...this.#held]
      .filter(([sha256]) => this.#mode !== 'matched' || matched.has(sha256))
      .map(([sha256, { file, process }]) => ({ sha256, path: `/proc/self/fd/${file.fd}`, process }));
  }

  async close(): Promise<void> {
    await Promise.all(this.#opening.values());
    await Promise.all([...this.#held.values()].map(({ file }) => file.close()));
    this.#held.clear();
  }

  #wants({ exeDeleted, exeMemfd }: Process): boolean {
    if (this.#mode === 'deleted') return exeDeleted === true || exeMemfd === true;
    return this.#mode !== 'none';
  }

  async #hold(sha256: string, process: Process): Promise<void> {
    try {
      this.#held.set(sha256, { file: await open(placeOf(process)), process });
      this.#missed.delete(sha256);
    } catch {
      this.#missed.add(sha256);
    } finally {
      this.#opening.delete(sha256);
    }
  }
}

/** Where its digest was read. It is compared when the file is copied. */
function placeOf({ pid, exe, exeRaw, exeHashedFrom }: Process): string {
  return exeHashedFrom === 'path' && exe !== null && exeRaw === undefined ? exe : `/proc/${pid}/exe`;
}

/** Below the usual limit of 1024 open files, with room for the rest. */
const MAX_HELD = 512;
