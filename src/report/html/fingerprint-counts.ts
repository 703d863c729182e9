import type { Handshake } from '../../snapshot/schema/handshake.js';
import { count, shown } from './kept-rows.js';
import type { Cell } from './page-data.js';

interface Print {
  readonly kind: 'client' | 'server';
  readonly ja4: string | null;
  readonly hash: string | null;
  hellos: number;
  hit: boolean;
  /** Bounded samples. */
  readonly processes: Set<string>;
  readonly programs: Set<string>;
  readonly names: Set<string>;
}

/** The different fingerprints, and who used them. */
export class FingerprintCounts {
  readonly #prints = new Map<string, Print>();
  #full = false;

  add({ kind, fingerprints, process, tls }: Handshake, isHit: boolean): void {
    if (!fingerprints) return;
    const { ja4 = null, ja3, ja3s } = fingerprints;
    const hash = ja3 ?? ja3s ?? null;
    if (ja4 === null && hash === null) return;
    const key = `${kind} ${ja4 ?? ''} ${hash ?? ''}`;
    let print = this.#prints.get(key);
    if (!print) {
      if (this.#prints.size >= MAX_PRINTS) {
        this.#full = true;
        return;
      }
      const samples = { processes: new Set<string>(), programs: new Set<string>(), names: new Set<string>() };
      print = { kind, ja4, hash, hellos: 0, hit: false, ...samples };
      this.#prints.set(key, print);
    }
    print.hellos += 1;
    print.hit ||= isHit;
    if (process?.pid != null) {
      if (print.processes.size < MAX_COUNTED) print.processes.add(`${process.pid}/${process.startTimeNs ?? ''}`);
      sample(print.programs, process.exe ?? process.comm);
    }
    sample(print.names, tls?.serverName ?? null);
  }

  /** How many of clients. */
  get distinct(): string {
    const clients = [...this.#prints.values()].filter(({ kind }) => kind === 'client').length;
    return `${count(clients)}${this.#full ? '+' : ''}`;
  }

  /** The rare ones last, and of equal ones in the order they came. */
  rows(): Cell[][] {
    return [...this.#prints.values()].sort((a, b) => b.hellos - a.hellos).map(rowOf);
  }

  note(): string | null {
    return this.#full ? `There are more than ${count(MAX_PRINTS)} fingerprints; the first are shown.` : null;
  }
}

function rowOf({ kind, ja4, hash, hellos, processes, programs, names, hit }: Print): Cell[] {
  return [
    kind,
    ja4 === null ? null : shown(ja4),
    hash,
    hellos,
    processes.size,
    programs.size === 0 ? null : shown([...programs].join(', ')),
    names.size === 0 ? null : shown([...names].join(', ')),
    hit ? 'hit' : null,
  ];
}

function sample(samples: Set<string>, value: string | null): void {
  if (value !== null && value !== '' && samples.size < MAX_SAMPLES) samples.add(value.slice(0, 200));
}

const MAX_PRINTS = 2000;
const MAX_SAMPLES = 4;
const MAX_COUNTED = 1000;
