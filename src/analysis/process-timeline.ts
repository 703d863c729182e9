import type { Snapshot } from '../snapshot/reader.js';
import type { Process } from '../snapshot/schema/process.js';
import { type Instant, instantOf } from './instant.js';
import type { ProcessAppears, ProcessVanishes, ReplayProcess } from './replay-event.js';

/**
 * When processes appear and vanish, in order of time. The file has them behind the handshakes and by pid, so they are
 * read in a pass of their own and kept as packed text: some 200 bytes each, up to a bound.
 */
export class ProcessTimeline {
  readonly #texts: PackedTexts;
  readonly #appearing: Moments;
  readonly #vanishing: Moments;

  private constructor(texts: PackedTexts, appearing: Moments, vanishing: Moments) {
    this.#texts = texts;
    this.#appearing = appearing;
    this.#vanishing = vanishing;
    appearing.sort();
    vanishing.sort();
  }

  static async read(snapshot: Snapshot, maxBytes = MAX_BYTES): Promise<ProcessTimeline> {
    const [texts, appearing, vanishing] = [new PackedTexts(maxBytes), new Moments(), new Moments()];
    const start = snapshot.manifest.window.start;
    for await (const rows of snapshot.rows('processes')) {
      for (const row of rows) {
        const { firstSeen, exited, exitCode } = row;
        const brief = texts.bytes > maxBytes / 2;
        const text = JSON.stringify([firstSeen ?? start, exited, exitCode, factsOf(row, brief)]);
        const at = texts.add(text);
        if (at === null) continue;
        appearing.add(instantOf(firstSeen ?? start), at);
        if (exited !== null) vanishing.add(instantOf(exited), at);
      }
    }
    return new ProcessTimeline(texts, appearing, vanishing);
  }

  get size(): number {
    return this.#texts.size;
  }

  /** Processes beyond the bound, of which nothing is told. */
  get leftOut(): number {
    return this.#texts.leftOut;
  }

  /** What happens up to a moment and was not told yet: who appears at that very moment is told, who vanishes is not. */
  *until(moment: Instant | null): Generator<ProcessAppears | ProcessVanishes> {
    for (;;) {
      const [appearing, vanishing] = [this.#appearing, this.#vanishing];
      const appears = appearing.next && (moment === null || order(appearing.next, moment) <= 0);
      const vanishes = vanishing.next && (moment === null || order(vanishing.next, moment) < 0);
      if (!appears && !vanishes) return;
      const first = !vanishes || (appears && order(appearing.next, vanishing.next) <= 0);
      yield first ? this.#appears(appearing.take()) : this.#vanishes(vanishing.take());
    }
  }

  #appears(at: number): ProcessAppears {
    const [time, , , process] = this.#entry(at);
    return { type: 'process', time, process };
  }

  #vanishes(at: number): ProcessVanishes {
    const [, time, exitCode, process] = this.#entry(at);
    return { type: 'exit', time: time ?? '', process, exitCode };
  }

  #entry(at: number): Entry {
    return JSON.parse(this.#texts.at(at)) as Entry;
  }
}

type Entry = [appears: string, vanishes: string | null, exitCode: number | null, process: ReplayProcess];

function factsOf(row: Process, brief: boolean): ReplayProcess {
  const { pid, startTimeNs, ppid, uid, comm, exe, exeDeleted, exeMemfd, exeSha256, exeHashedFrom, container } = row;
  const who = { pid, startTimeNs, ppid, uid, comm, exe, exeDeleted, exeMemfd, exeSha256, exeHashedFrom };
  return { ...who, cmdline: brief ? null : shortened(row.cmdline), container: container && container.id };
}

/** The first words, so that one process with megabytes of arguments does not displace the others. */
function shortened(cmdline: readonly string[] | null): string[] | null {
  if (!cmdline) return null;
  const kept: string[] = [];
  let room = MAX_CMDLINE;
  for (const word of cmdline) {
    if (room <= 0) break;
    kept.push(word.length > room ? `${word.slice(0, room)}…` : word);
    room -= word.length + 1;
  }
  if (kept.length < cmdline.length) kept.push('…');
  return kept;
}

function order(one: Instant | undefined, other: Instant | undefined): number {
  if (!one || !other) return 0;
  return one.seconds - other.seconds || one.nanos - other.nanos;
}

/** Texts one behind the other in large blocks, which costs neither objects nor their headers. */
class PackedTexts {
  readonly #maxBytes: number;
  readonly #blocks: Buffer[] = [];
  #used = BLOCK_BYTES;
  /** Block and place in it, in one number. */
  #places = new Float64Array(1024);
  #lengths = new Uint32Array(1024);
  size = 0;
  bytes = 0;
  leftOut = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** The text's number; null where there is no room for it. */
  add(text: string): number | null {
    const length = Buffer.byteLength(text);
    if (this.bytes + length > this.#maxBytes || length > BLOCK_BYTES) {
      this.leftOut += 1;
      return null;
    }
    if (this.#used + length > BLOCK_BYTES) {
      this.#blocks.push(Buffer.allocUnsafeSlow(BLOCK_BYTES));
      this.#used = 0;
    }
    this.#blocks.at(-1)?.write(text, this.#used);
    this.#places = roomy(this.#places, this.size);
    this.#lengths = roomy(this.#lengths, this.size);
    this.#places[this.size] = (this.#blocks.length - 1) * BLOCK_BYTES + this.#used;
    this.#lengths[this.size] = length;
    this.#used += length;
    this.bytes += length;
    return this.size++;
  }

  at(index: number): string {
    const place = this.#places[index] ?? 0;
    const start = place % BLOCK_BYTES;
    const block = this.#blocks[(place - start) / BLOCK_BYTES];
    return block?.toString('utf8', start, start + (this.#lengths[index] ?? 0)) ?? '';
  }
}

/** Moments, each of one entry, taken in order of time; equal ones as they were added. */
class Moments {
  #seconds = new Float64Array(1024);
  #nanos = new Uint32Array(1024);
  #entries = new Uint32Array(1024);
  #order = new Uint32Array(0);
  #size = 0;
  #taken = 0;
  next: Instant | undefined;

  add({ seconds, nanos }: Instant, entry: number): void {
    this.#seconds = roomy(this.#seconds, this.#size);
    this.#nanos = roomy(this.#nanos, this.#size);
    this.#entries = roomy(this.#entries, this.#size);
    this.#seconds[this.#size] = seconds;
    this.#nanos[this.#size] = nanos;
    this.#entries[this.#size++] = entry;
  }

  sort(): void {
    const [seconds, nanos] = [this.#seconds, this.#nanos];
    this.#order = new Uint32Array(this.#size).map((_, index) => index);
    this.#order.sort((a, b) => (seconds[a] ?? 0) - (seconds[b] ?? 0) || (nanos[a] ?? 0) - (nanos[b] ?? 0) || a - b);
    this.#look();
  }

  /** The entry of `next`, which then is the one after it. */
  take(): number {
    const entry = this.#entries[this.#order[this.#taken++] ?? 0] ?? 0;
    this.#look();
    return entry;
  }

  #look(): void {
    const index = this.#order[this.#taken];
    this.next =
      index === undefined ? undefined : { seconds: this.#seconds[index] ?? 0, nanos: this.#nanos[index] ?? 0 };
  }
}

function roomy<T extends Float64Array | Uint32Array>(array: T, index: number): T {
  if (index < array.length) return array;
  const larger = new (array.constructor as new (length: number) => T)(array.length * 2);
  larger.set(array);
  return larger;
}

/** A million processes with ordinary names; arguments are kept up to half of it. */
const MAX_BYTES = 192 * 1024 * 1024;
const BLOCK_BYTES = 4 * 1024 * 1024;
const MAX_CMDLINE = 1024;
