import { createHash } from 'node:crypto';
import type { Handshake } from '../snapshot/schema/handshake.js';
import type { Process } from '../snapshot/schema/process.js';

/** Where a value was seen first. */
export interface Evidence {
  /** Of the handshake; null where it was no handshake. */
  readonly seq: number | null;
  readonly time: string | null;
  readonly pid: number | null;
  readonly startTimeNs: string | null;
  readonly comm: string | null;
  readonly exe: string | null;
}

export interface SeenValue {
  readonly evidence: Evidence;
  /** How often. */
  count: number;
  /** What it was seen together with, such as the hashes of a path. */
  readonly with: Set<string>;
}

/** How much may be kept of one snapshot, in bytes and roughly; shared by all its values. */
export class Budget {
  #left: number;

  constructor(bytes = DEFAULT_BUDGET) {
    this.#left = bytes;
  }

  /** Whether there was room. */
  take(bytes: number): boolean {
    if (bytes > this.#left) return false;
    this.#left -= bytes;
    return true;
  }
}

/** Each value once, however often it comes; a hostile snapshot of nothing but new values ends at the budget. */
export class DistinctValues {
  readonly seen = new Map<string, SeenValue>();
  /** Sightings of values for which there was no room. */
  leftOut = 0;
  readonly #budget: Budget;

  constructor(budget: Budget) {
    this.#budget = budget;
  }

  /** `companion`: what the value came together with, where that is known. */
  see(text: string, evidence: () => Evidence, companion: string | null = null): void {
    const value = bounded(text);
    let entry = this.seen.get(value);
    if (!entry) {
      if (!this.#budget.take(ENTRY_BYTES + value.length * 2)) {
        this.leftOut += 1;
        return;
      }
      entry = { evidence: evidence(), count: 0, with: new Set() };
      this.seen.set(value, entry);
    }
    entry.count += 1;
    if (companion === null) return;
    const other = bounded(companion);
    if (entry.with.has(other)) return;
    if (this.#budget.take(COMPANION_BYTES + other.length * 2)) entry.with.add(other);
    else this.leftOut += 1;
  }
}

export function evidenceOfHello({ seq, time, process }: Handshake): Evidence {
  const { pid = null, startTimeNs = null, comm = null, exe = null } = process ?? {};
  return { seq, time, pid, startTimeNs, comm, exe: exe && bounded(exe) };
}

export function evidenceOfProcess(row: Pick<Process, 'pid' | 'startTimeNs' | 'comm' | 'exe' | 'firstSeen'>): Evidence {
  const { pid, startTimeNs, comm, exe, firstSeen } = row;
  return { seq: null, time: firstSeen, pid, startTimeNs, comm: comm && bounded(comm), exe: exe && bounded(exe) };
}

export const NO_EVIDENCE: Evidence = { seq: null, time: null, pid: null, startTimeNs: null, comm: null, exe: null };

/** The text, or of a very long one its start and a digest of all of it. */
export function bounded(text: string): string {
  if (text.length <= MAX_TEXT) return text;
  // Copied, since a part of a string keeps the whole of it alive.
  const start = Buffer.from(text.slice(0, MAX_TEXT)).toString();
  return `${start}… (${text.length} characters, sha256 ${createHash('sha256').update(text).digest('hex')})`;
}

const MAX_TEXT = 512;
/** Measured: a Map entry with its objects and short strings. */
const ENTRY_BYTES = 500;
const COMPANION_BYTES = 100;
const DEFAULT_BUDGET = 96 * 1024 * 1024;
