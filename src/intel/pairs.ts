import { oldestKeys } from '../oldest.js';
import type { ComparableHandshake } from './hit.js';
import type { Indicator } from './indicator.js';

/**
 * Remembers which conditions of which pairs were met on which connection, until all are: the ClientHello and the
 * ServerHello of one connection are two events. Only connections that met a condition are remembered, at most `limit`.
 */
export class PendingPairs {
  readonly #limit: number;
  readonly #connections = new Map<string, Map<Indicator, Set<number>>>();
  /** Connections that had to be forgotten; their pairs could not be completed any more. */
  forgotten = 0;

  constructor(limit = MAX_PENDING) {
    this.#limit = limit;
  }

  /** A first ClientHello starts a connection: what was met on an earlier one with the same addresses counts no more. */
  restart(event: Connected): void {
    if (this.#connections.size > 0) this.#connections.delete(connectionKey(event));
  }

  /** Notes that condition `part` of `pair` holds on a connection; true when that was the last one missing. */
  meet(event: Connected, pair: Indicator, part: number): boolean {
    const key = connectionKey(event);
    let pairs = this.#connections.get(key);
    if (!pairs) {
      if (this.#connections.size >= this.#limit) this.#forgetOldest();
      pairs = new Map<Indicator, Set<number>>();
      this.#connections.set(key, pairs);
    }
    const met = pairs.get(pair) ?? new Set<number>();
    pairs.set(pair, met);
    if (met.has(part)) return false;
    met.add(part);
    return met.size === pair.parts?.length;
  }

  #forgetOldest(): void {
    for (const key of oldestKeys(this.#connections)) {
      this.#connections.delete(key);
      this.forgotten++;
    }
  }
}

/**
 * The same for both directions of one socket. The cookie tells sockets apart, and on loopback the two ends; an import
 * has none, and addresses must do.
 */
function connectionKey({ transport, flow: { src, srcPort, dst, dstPort, netns, cookie } }: Connected): string {
  const one = `${src} ${srcPort}`;
  const other = `${dst} ${dstPort}`;
  const ends = one < other ? `${one} ${other}` : `${other} ${one}`;
  return `${transport} ${ends} ${netns ?? ''} ${cookie ?? ''}`;
}

/** What of an event tells its connection. TCP and UDP may have the same addresses and ports. */
type Connected = Pick<ComparableHandshake, 'transport' | 'flow'>;

const MAX_PENDING = 65_536;
