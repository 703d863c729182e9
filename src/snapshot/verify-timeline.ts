import { FingerprintCache } from '../tls/fingerprint-cache.js';
import { type Difference, rederive } from './rederivation.js';
import type { Handshake } from './schema/handshake.js';
import { isMoment } from './time-text.js';
import type { Findings } from './verification.js';

/** Checks the rows of the timeline in their order: numbers, times, and everything that the raw bytes say. */
export class TimelineVerifier {
  readonly #findings: Findings;
  readonly #cache = new FingerprintCache();
  #rows = 0;
  #next = 0;
  #lastTime = '';
  /** Its last one was looked at: date and time, to the second and its point. */
  #second = NEVER;
  #derived = 0;
  #stopped = false;
  #observed: number | undefined;
  #truncated = 0;
  #ownerless = 0;

  constructor(findings: Findings) {
    this.#findings = findings;
  }

  /** Rows that were read. */
  get rows(): number {
    return this.#rows;
  }

  /** Hellos from whose raw bytes a fingerprint was derived. */
  get derived(): number {
    return this.#derived;
  }

  /** Whether there may be rows that nobody looked at. */
  get stopped(): boolean {
    return this.#stopped;
  }

  /** Hellos that are not complete. */
  get truncated(): number {
    return this.#truncated;
  }

  /** Hellos that are ascribed to nobody. */
  get ownerless(): number {
    return this.#ownerless;
  }

  /** The `seq` of the first row that says what only the host could see: who, in which part, or what its kernel computed. */
  get observed(): number | undefined {
    return this.#observed;
  }

  stop(): void {
    this.#stopped = true;
  }

  add(row: Handshake): void {
    this.#rows += 1;
    const place = `handshakes.ndjson seq ${row.seq}`;
    if (row.seq !== this.#next) this.#findings.add('timeline', place, `follows seq ${this.#next - 1}`);
    // RFC 3339 in UTC with nine digits sorts as text.
    if (row.time < this.#lastTime) this.#findings.add('timeline', place, 'is older than the line before it');
    // Many follow each other within a second.
    if (!row.time.startsWith(this.#second)) this.#checkMoment(row.time, place);
    this.#lastTime = row.time;
    this.#next = row.seq + 1;
    if (!row.hello.complete) this.#truncated += 1;
    if (!row.process || row.process.attribution === 'none') this.#ownerless += 1;
    if (row.process ?? row.role ?? row.kernel) this.#observed ??= row.seq;
    this.#compare(row, place);
  }

  #checkMoment(time: string, place: string): void {
    this.#second = time.slice(0, 20);
    if (!isMoment(time)) this.#findings.add('timeline', place, `its time ${time} is none that a clock shows`);
  }

  #compare(row: Handshake, place: string): void {
    const { derived, differences } = rederive(row, this.#cache);
    if (derived.fingerprints) this.#derived += 1;
    const told = new Set<string>();
    for (const difference of differences) {
      const [group = ''] = difference.field.split('.');
      // One line for fingerprints and one for tls: what else is wrong in them follows from the same change.
      if (group !== 'kernel' && told.has(group)) continue;
      told.add(group);
      this.#findings.add('fingerprints', place, problemOf(difference));
    }
  }
}

function problemOf({ field, derived }: Difference): string {
  if (field.startsWith('kernel.')) return `${field.replace('.', ' ')} is not what the raw bytes give`;
  if (field.includes('.')) return `${field} is not what the raw bytes give`;
  return derived === null
    ? `${field} are there, but not in the raw bytes`
    : `${field} are missing, though the raw bytes give them`;
}

const NEVER = ' ';
