import { HelloAssembly } from './hello-assembly.js';
import { helloKind, RANDOM_OFFSET, type HelloKind } from './handshake.js';
import { proxyHeaderLength } from './proxy-protocol.js';
import { canStartRecord, fragmentLength, RECORD_HEADER_LENGTH, startsHello } from './record.js';
import { isRetryRandom } from './server-hello.js';
import { sslv2HelloLength } from './sslv2.js';

/** A hello found in one direction of a stream. */
export interface FoundHello {
  readonly kind: HelloKind;
  /**
   * The handshake message, header included and records taken off, in the form that `describeHello` takes. A view into the
   * segment where the hello lies in one record in one segment: copy it if the segment's memory is used again.
   */
  readonly raw: Uint8Array;
  /** False where the message is cut short. */
  readonly complete: boolean;
  /** How many segments and records hold bytes of it. */
  readonly segments: number;
  readonly records: number;
  /** Stream offset of the first byte of its first record. */
  readonly streamOffset: number;
  readonly sslv2: boolean;
  /** Why it is cut short. */
  readonly error: string | null;
}

export interface HelloFinderOptions {
  /** Data segments looked at that belong to no hello; then the search ends. */
  readonly segmentBudget?: number;
  /** Hellos reported; then the search ends. Two are usual at most: one before and one after a HelloRetryRequest. */
  readonly maxHellos?: number;
}

/**
 * Finds the hellos in one direction of a TCP stream, which is fed to it in order.
 *
 * A hello may start at the start of the stream or behind a PROXY header there, at the start of any segment (after STARTTLS, HTTP
 * CONNECT, SOCKS or PostgreSQL's request), or behind a whole TLS record; it may spread over any number of segments and records. Only at stream offset 0 it
 * may have the SSLv2 form. The search ends with a ServerHello that is not a HelloRetryRequest, or when a budget is used up.
 */
export class HelloFinder {
  readonly #segmentBudget: number;
  readonly #maxHellos: number;
  /** Stream offset of the next byte; null before the first. */
  #offset: number | null = null;
  #segments = 0;
  #hellos = 0;
  #done = false;
  #assembly: HelloAssembly | null = null;
  /** Bytes of a record without a hello that are still to come. */
  #skip = 0;
  /** Whether the next byte is known to start a record. */
  #aligned = false;
  /** Too few bytes to tell whether they start a hello. */
  #undecided: Undecided | null = null;

  constructor(options: HelloFinderOptions = {}) {
    this.#segmentBudget = options.segmentBudget ?? 24;
    this.#maxHellos = options.maxHellos ?? 4;
  }

  /** True once nothing more will be found; further segments are ignored. */
  get done(): boolean {
    return this.#done;
  }

  /** Bytes kept of a hello that is not whole yet, or that may be one. */
  get heldBytes(): number {
    return (this.#assembly?.message.length ?? 0) + (this.#undecided?.bytes.length ?? 0);
  }

  /**
   * Takes the next segment. `streamOffset` is that of its first byte; where it is beyond what came before, bytes were lost, and
   * where it is before, the bytes already seen are passed over.
   */
  push(segment: Uint8Array, streamOffset: number = this.#offset ?? 0): FoundHello[] {
    if (this.#done) return [];
    this.#offset ??= streamOffset;
    const found = streamOffset > this.#offset ? this.gap(streamOffset - this.#offset) : [];
    const fresh = streamOffset < this.#offset ? segment.subarray(this.#offset - streamOffset) : segment;
    if (fresh.length === 0) return found;
    const busy = this.#assembly !== null;
    this.#search(fresh, this.#offset, found);
    this.#offset += fresh.length;
    const idle = !busy && found.length === 0 && this.#assembly === null && this.#undecided === null;
    if (idle && ++this.#segments >= this.#segmentBudget) this.#finish();
    return found;
  }

  /** `bytes` of the stream were lost here. A hello in the middle of it ends as it is. */
  gap(bytes: number): FoundHello[] {
    if (this.#done) return [];
    const at = this.#offset ?? 0;
    this.#offset = at + bytes;
    const found: FoundHello[] = [];
    if (this.#assembly !== null) {
      this.#report(this.#assembly, found, `stream at offset ${at}: ${bytes} bytes lost inside the hello`);
    }
    this.#undecided = null;
    this.#aligned = this.#skip === bytes && bytes > 0;
    this.#skip = Math.max(0, this.#skip - bytes);
    return found;
  }

  /** The stream ends here. A hello in the middle of it comes out as it is. */
  end(): FoundHello[] {
    const found: FoundHello[] = [];
    const assembly = this.#assembly;
    if (assembly !== null) {
      const missing = assembly.missing === null ? '' : `, ${assembly.missing} bytes before the hello does`;
      this.#report(assembly, found, `stream at offset ${this.#offset ?? 0}: ends${missing}`);
    }
    this.#finish();
    return found;
  }

  #search(segment: Uint8Array, offset: number, found: FoundHello[]): void {
    let at = this.#undecided === null ? 0 : this.#decide(this.#undecided, segment, offset);
    if (offset === 0) {
      at = proxyHeaderLength(segment);
      this.#aligned = at > 0;
    }
    while (at < segment.length && !this.#done) {
      if (this.#assembly !== null) {
        at = this.#assembly.feed(segment, at);
        this.#settle(this.#assembly, found);
      } else if (this.#skip > 0 && !(at === 0 && startsHello(segment, 0, true) === 'yes')) {
        const passed = Math.min(this.#skip, segment.length - at);
        at += passed;
        this.#skip -= passed;
        this.#aligned = this.#skip === 0;
      } else if (this.#aligned || at === 0) {
        const start = this.#start(segment, at, offset + at);
        if (start === 'undecided' || start === 'nothing') break;
      } else break;
    }
  }

  /** Decides what was undecided with the first bytes of the next segment; returns where in it the search goes on. */
  #decide(undecided: Undecided, segment: Uint8Array, offset: number): number {
    this.#undecided = null;
    let { bytes, starts, aligned } = undecided;
    while (starts.length > 0) {
      const joined = join(bytes, segment.subarray(0, DECISION_LENGTH));
      this.#aligned = aligned;
      const start = this.#start(joined, 0, offset - bytes.length);
      if (start === 'hello') {
        for (const [index, first] of starts.entries()) {
          this.#assembly?.feed(bytes.subarray(first, starts[index + 1]), 0);
        }
        return 0;
      }
      if (start === 'record') {
        this.#skip -= bytes.length;
        this.#segments += starts.length;
        return 0;
      }
      if (start === 'undecided') {
        // Too short still, so all of the segment is in it.
        this.#undecided = { bytes: joined, starts: [...starts, bytes.length], aligned };
        return segment.length;
      }
      // Not a hello from here on: perhaps from where the next of the segments starts.
      this.#segments++;
      const next = starts[1] ?? bytes.length;
      bytes = bytes.subarray(next);
      starts = starts.slice(1).map((start) => start - next);
      aligned = false;
    }
    this.#aligned = false;
    return 0;
  }

  /** Looks what starts at `at`. */
  #start(bytes: Uint8Array, at: number, streamOffset: number): Start {
    const atOrigin = streamOffset === 0;
    const aligned = this.#aligned || atOrigin;
    this.#skip = 0;
    const verdict = startsHello(bytes, at, !aligned);
    if (verdict === 'yes') {
      const kind = helloKind(bytes[at + RECORD_HEADER_LENGTH] ?? 0) ?? 'client';
      this.#assembly = new HelloAssembly({ kind, streamOffset, sslv2Length: 0 });
      return 'hello';
    }
    const sslv2Length = atOrigin ? sslv2HelloLength(bytes, at) : 0;
    if (sslv2Length !== null && sslv2Length > 0) {
      this.#assembly = new HelloAssembly({ kind: 'client', streamOffset, sslv2Length });
      return 'hello';
    }
    const isRecord = canStartRecord(bytes, at);
    const short = isRecord && bytes.length - at < RECORD_HEADER_LENGTH;
    if (verdict === 'unknown' || sslv2Length === null || short) {
      this.#undecided = { bytes: new Uint8Array(bytes.subarray(at)), starts: [0], aligned: this.#aligned };
      return 'undecided';
    }
    this.#aligned = false;
    if (!isRecord) return 'nothing';
    this.#skip = RECORD_HEADER_LENGTH + fragmentLength(bytes, at);
    return 'record';
  }

  /** Reports an assembly that has come to its end and goes on behind its record. */
  #settle(assembly: HelloAssembly, found: FoundHello[]): void {
    if (assembly.state === 'open') return;
    this.#report(assembly, found, assembly.error);
  }

  #report(assembly: HelloAssembly, found: FoundHello[], error: string | null): void {
    const { kind, message: raw, segments, records, streamOffset, sslv2 } = assembly;
    const complete = assembly.state === 'complete';
    found.push({ kind, raw, complete, segments, records, streamOffset, sslv2, error });
    this.#assembly = null;
    this.#skip = Math.max(0, assembly.recordLeft);
    this.#aligned = assembly.state !== 'open' && assembly.recordLeft === 0;
    const answered = complete && kind === 'server' && !isRetryRandom(raw, RANDOM_OFFSET);
    if (answered || ++this.#hellos >= this.#maxHellos) this.#finish();
  }

  #finish(): void {
    this.#done = true;
    this.#assembly = null;
    this.#undecided = null;
  }
}

/** What starts at a place: a hello, another TLS record, nothing that is known; or too few bytes are there to tell. */
type Start = 'hello' | 'record' | 'nothing' | 'undecided';

interface Undecided {
  /** At most a dozen bytes. */
  readonly bytes: Uint8Array;
  /** Where in `bytes` segments start; the first is 0. */
  readonly starts: readonly number[];
  readonly aligned: boolean;
}

function join(head: Uint8Array, tail: Uint8Array): Uint8Array {
  const joined = new Uint8Array(head.length + tail.length);
  joined.set(head);
  joined.set(tail, head.length);
  return joined;
}

/** More than any decision takes. */
const DECISION_LENGTH = 16;
