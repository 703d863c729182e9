import { RANDOM_OFFSET } from './handshake.js';
import { HelloFinder, type FoundHello, type HelloFinderOptions } from './hello-finder.js';
import { isRetryRandom } from './server-hello.js';
import { StreamAssembler, type StreamAssemblerOptions } from './stream.js';

export type Direction = 0 | 1;

/** A hello found in one of the two directions of a connection. */
export interface ConversationHello extends FoundHello {
  readonly direction: Direction;
  /** True for the hellos of either side that follow a HelloRetryRequest. */
  readonly afterRetry: boolean;
  readonly helloRetryRequest: boolean;
}

export interface ConversationOptions {
  readonly finder?: HelloFinderOptions;
  readonly stream?: StreamAssemblerOptions;
}

/** Both directions of one TCP connection, from segments in any order to hellos. */
export class Conversation {
  readonly #options: ConversationOptions;
  /** Made with a direction's first segment: a capture may hold many connections that never answer. */
  readonly #sides: [Side | null, Side | null] = [null, null];
  /** Stream offsets at which the directions begin to be seen. */
  readonly #joinedAt: [number, number];
  /** A HelloRetryRequest, or the ClientHello that answers one, was seen. */
  #retried = false;
  /** What tells the random of the first ClientHello from others; -1 before it. */
  #clientRandom = -1;
  /** The ClientHello that a ServerHello may answer: after a HelloRetryRequest, the second. */
  #firstClientSeen = false;
  #secondClientSeen = false;
  #serverSeen = false;

  constructor(options: ConversationOptions = NO_OPTIONS) {
    this.#options = options;
    const { start = 0 } = options.stream ?? {};
    this.#joinedAt = [start, start];
  }

  /** True once both hellos are seen, or nothing more will be found; further segments are ignored. */
  get done(): boolean {
    const clientSeen = this.#retried ? this.#secondClientSeen : this.#firstClientSeen;
    if (clientSeen && this.#serverSeen) return true;
    const [one, other] = this.#sides;
    return one !== null && other !== null && one.finder.done && other.finder.done;
  }

  /** Bytes kept for hellos that are not whole yet and beyond holes; the caller bounds the sum over its connections. */
  get heldBytes(): number {
    let held = 0;
    for (const side of this.#sides) if (side !== null) held += side.stream.pendingBytes + side.finder.heldBytes;
    return held;
  }

  /** What was dropped, lost or contradictory in a direction. */
  stream(direction: Direction): Readonly<StreamAssembler> {
    return this.#side(direction).stream;
  }

  /**
   * Says that a direction is seen from `streamOffset` on only, because the capture began in the middle of the connection. To be
   * called before its first segment, with any offset above 0 where the true one is not known.
   */
  joinAt(direction: Direction, streamOffset: number): void {
    this.#joinedAt[direction] = streamOffset;
  }

  /** Takes a segment of a direction at its absolute stream offset. */
  push(direction: Direction, streamOffset: number, bytes: Uint8Array): ConversationHello[] {
    const { stream, finder } = this.#side(direction);
    const hellos: ConversationHello[] = [];
    if (finder.done || this.done) return hellos;
    for (const run of stream.push(streamOffset, bytes)) {
      for (const hello of finder.push(run.bytes, run.offset)) hellos.push(this.#mark(direction, hello));
    }
    return hellos;
  }

  /** No more segments will come: holes are given up, and hellos that were not finished come out as they are. */
  end(): ConversationHello[] {
    const hellos: ConversationHello[] = [];
    for (const direction of [0, 1] as const) {
      const side = this.#sides[direction];
      if (side === null) continue;
      if (this.done) break;
      for (const run of side.stream.flush()) {
        for (const hello of side.finder.push(run.bytes, run.offset)) hellos.push(this.#mark(direction, hello));
      }
      for (const hello of side.finder.end()) hellos.push(this.#mark(direction, hello));
    }
    return hellos;
  }

  #side(direction: Direction): Side {
    return (this.#sides[direction] ??= {
      stream: new StreamAssembler({ ...this.#options.stream, start: this.#joinedAt[direction] }),
      finder: new HelloFinder(this.#options.finder),
    });
  }

  #mark(direction: Direction, hello: FoundHello): ConversationHello {
    const helloRetryRequest = hello.kind === 'server' && isRetryRandom(hello.raw, RANDOM_OFFSET);
    const afterRetry = hello.kind === 'client' ? this.#noteClient(hello) : this.#noteServer(hello, helloRetryRequest);
    // Field by field: spreading costs more than finding the hello did.
    const { kind, raw, complete, segments, records, streamOffset, sslv2, error } = hello;
    return {
      kind,
      raw,
      complete,
      segments,
      records,
      streamOffset,
      sslv2,
      error,
      direction,
      afterRetry,
      helloRetryRequest,
    };
  }

  /**
   * The random stays the same after a HelloRetryRequest (RFC 8446, section 4.1.2), so a retry shows even where the request was
   * not captured, or is captured late. A ClientHello that opens the stream is the first one, in whatever order they come.
   */
  #noteClient(hello: FoundHello): boolean {
    const random = hello.sslv2 ? -1 : randomKey(hello.raw);
    const again = random >= 0 && random === this.#clientRandom;
    const afterRetry = again || (this.#retried && hello.streamOffset > 0);
    if (afterRetry) this.#retried = true;
    if (this.#clientRandom < 0) this.#clientRandom = random;
    if (hello.complete && afterRetry) this.#secondClientSeen = true;
    else if (hello.complete) this.#firstClientSeen = true;
    return afterRetry;
  }

  #noteServer(hello: FoundHello, helloRetryRequest: boolean): boolean {
    const afterRetry = this.#retried && !helloRetryRequest;
    if (helloRetryRequest) this.#retried = true;
    else if (hello.complete) this.#serverSeen = true;
    return afterRetry;
  }
}

interface Side {
  readonly stream: StreamAssembler;
  readonly finder: HelloFinder;
}

/** The last six bytes of the random, as a number: enough to tell two hellos of one connection apart. -1 where it is cut short. */
function randomKey(raw: Uint8Array): number {
  const end = RANDOM_OFFSET + 32;
  if (raw.length < end) return -1;
  let key = 0;
  for (let at = end - 6; at < end; at++) key = key * 256 + (raw[at] ?? 0);
  return key;
}

const NO_OPTIONS: ConversationOptions = {};
