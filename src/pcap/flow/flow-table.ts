import { uint32be } from '../wire-numbers.js';
import { type AddressWords, FlowEnd } from './flow-end.js';

/**
 * Flows by addresses, ports and tunnel, in typed arrays of fixed size: a lookup makes no object, and a capture with
 * millions of flows costs no more memory than one with a few. Where the table is full, the flow that was least
 * recently seen goes (second-chance approximation), and its owner is told.
 */
export class FlowTable<State> {
  readonly capacity: number;
  private readonly onEvict: (slot: number) => void;
  /** First slot of each hash bucket, and the next one in the same bucket; 0 ends a chain, slots count from 1. */
  private readonly buckets: Int32Array;
  private readonly chain: Int32Array;
  private readonly keys: Uint32Array;
  private readonly hashes: Uint32Array;
  private readonly recent: Uint8Array;
  private readonly retired: Uint8Array;
  private readonly states: (State | undefined)[] = [];
  private used = 0;
  private hand = 1;
  /** The key being looked up, so that no array is made for it. */
  private readonly key = new Uint32Array(KEY_WORDS);
  private readonly seed: number;

  /**
   * @param capacity flows kept at most, a power of two
   * @param onEvict told of a slot before it is given to another flow
   * @param seed keeps the author of a capture from choosing addresses that all fall into one bucket
   */
  constructor(capacity: number, onEvict: (slot: number) => void, seed: number) {
    this.capacity = capacity;
    this.onEvict = onEvict;
    this.seed = seed | 0;
    this.buckets = new Int32Array(capacity);
    this.chain = new Int32Array(capacity + 1);
    this.keys = new Uint32Array((capacity + 1) * KEY_WORDS);
    this.hashes = new Uint32Array(capacity + 1);
    this.recent = new Uint8Array(capacity + 1);
    this.retired = new Uint8Array(capacity + 1);
  }

  /** Flows in the table. */
  get size(): number {
    return this.used;
  }

  state(slot: number): State | undefined {
    return this.states[slot];
  }

  setState(slot: number, state: State | undefined): void {
    this.states[slot] = state;
  }

  /** Nothing is expected of this flow any more: it is the first to make room, and that is no loss. */
  retire(slot: number): void {
    this.retired[slot] = 1;
    this.recent[slot] = 0;
  }

  /** Undoes retire(): the same ends have begun something new. */
  revive(slot: number): void {
    this.retired[slot] = 0;
  }

  /** The ends of the flow in a slot. */
  ends(slot: number): { low: FlowEnd; high: FlowEnd } {
    const base = slot * KEY_WORDS;
    const ports = this.keys[base + 8] ?? 0;
    const family = (this.keys[base + 10] ?? 0) >> 8 === 4 ? 4 : 6;
    return {
      low: new FlowEnd(family, this.words(base), ports >>> 16),
      high: new FlowEnd(family, this.words(base + 4), ports & 0xffff),
    };
  }

  /**
   * Looks a packet's flow up. Both directions of a flow are one slot: a positive result is the slot seen from the
   * side that the table calls the lower, a negative one from the other. 0 means that it is not there.
   */
  find(packet: FlowKeySource, protocol: number): number {
    const reversed = this.setKey(packet, protocol);
    const hash = this.hashKey();
    for (let slot = this.buckets[hash & (this.capacity - 1)] ?? 0; slot !== 0; slot = this.chain[slot] ?? 0) {
      if (this.hashes[slot] === hash && this.hasKey(slot)) {
        this.recent[slot] = this.retired[slot] === 0 ? 1 : 0;
        return reversed ? -slot : slot;
      }
    }
    return 0;
  }

  /** Adds the flow that the last find() did not find; its state is undefined. Returns as find() does. */
  addMissing(packet: FlowKeySource, protocol: number): number {
    const reversed = this.setKey(packet, protocol);
    const hash = this.hashKey();
    const slot = this.used < this.capacity ? ++this.used : this.reclaim();
    const bucket = hash & (this.capacity - 1);
    this.chain[slot] = this.buckets[bucket] ?? 0;
    this.buckets[bucket] = slot;
    this.hashes[slot] = hash;
    this.recent[slot] = 1;
    this.retired[slot] = 0;
    this.keys.set(this.key, slot * KEY_WORDS);
    this.states[slot] = undefined;
    return reversed ? -slot : slot;
  }

  /** Signed, as V8 keeps numbers beyond 2^31 as objects. */
  private words(at: number): AddressWords {
    const { keys } = this;
    return [(keys[at] ?? 0) | 0, (keys[at + 1] ?? 0) | 0, (keys[at + 2] ?? 0) | 0, (keys[at + 3] ?? 0) | 0];
  }

  private reclaim(): number {
    while (this.recent[this.hand] !== 0) {
      this.recent[this.hand] = 0;
      this.hand = (this.hand % this.capacity) + 1;
    }
    const slot = this.hand;
    this.hand = (slot % this.capacity) + 1;
    if (this.retired[slot] === 0) this.onEvict(slot);
    this.unlink(slot);
    return slot;
  }

  private unlink(slot: number): void {
    const bucket = (this.hashes[slot] ?? 0) & (this.capacity - 1);
    const next = this.chain[slot] ?? 0;
    let at = this.buckets[bucket] ?? 0;
    if (at === slot) {
      this.buckets[bucket] = next;
      return;
    }
    while (this.chain[at] !== slot) at = this.chain[at] ?? 0;
    this.chain[at] = next;
  }

  /** Writes the key, lower end first; true where that is not the order of the packet. */
  private setKey(packet: FlowKeySource, protocol: number): boolean {
    const { key } = this;
    const { buffer, family, source, destination, sourcePort, destinationPort } = packet;
    const length = family === 4 ? 4 : 16;
    let order = 0;
    for (let at = 0; at < length && order === 0; at += 4) {
      order = uint32be(buffer, source + at) - uint32be(buffer, destination + at);
    }
    const reversed = order > 0 || (order === 0 && sourcePort > destinationPort);
    const low = reversed ? destination : source;
    const high = reversed ? source : destination;
    for (let at = 0; at < 16; at += 4) {
      const present = at < length;
      key[at >> 2] = present ? uint32be(buffer, low + at) : 0;
      key[4 + (at >> 2)] = present ? uint32be(buffer, high + at) : 0;
    }
    key[8] = reversed ? (destinationPort << 16) | sourcePort : (sourcePort << 16) | destinationPort;
    key[9] = packet.scope;
    key[10] = (family << 8) | protocol;
    return reversed;
  }

  private hasKey(slot: number): boolean {
    const base = slot * KEY_WORDS;
    for (let word = 0; word < KEY_WORDS; word++) if (this.keys[base + word] !== this.key[word]) return false;
    return true;
  }

  /** Murmur3's mixing of 32-bit words. */
  private hashKey(): number {
    let hash = this.seed;
    for (let word = 0; word < KEY_WORDS; word++) {
      const k = Math.imul(this.key[word] ?? 0, 0xcc9e2d51);
      hash ^= Math.imul((k << 15) | (k >>> 17), 0x1b873593);
      hash = (Math.imul((hash << 13) | (hash >>> 19), 5) + 0xe6546b64) | 0;
    }
    hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
    return (hash ^ (hash >>> 16)) >>> 0;
  }
}

/** What of a dissected packet makes its flow. */
export interface FlowKeySource {
  readonly buffer: Buffer;
  readonly family: 4 | 6;
  /** Offsets of the addresses in `buffer`. */
  readonly source: number;
  readonly destination: number;
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly scope: number;
}

/** Two addresses, ports, scope, family and protocol. */
const KEY_WORDS = 11;
