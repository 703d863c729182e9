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
  readonly #sides: readonly [Side, Side];
  /** A HelloRetryRequest, or the ClientHello that answers one, was seen. */
  #retried = false;
  /** Random of the first ClientHello. */
  #clientRandom: Uint8Array | null = null;
  /** The ClientHello that a ServerHello may answer: after a HelloRetryRequest, the second. */
  #firstClientSeen = false;
  #secondClientSeen = false;
  #serverSeen = false;

  constructor(options: ConversationOptions = {}) {
    this.#sides = [makeSide(options), makeSide(options)];
  }

  /** True once both hellos are seen, or nothing more will be found; further segments are ignored. */
  get done(): boolean {
    const [one, other] = this.#sides;
    const clientSeen = this.#retried ? this.#secondClientSeen : this.#firstClientSeen;
    return (clientSeen && this.#serverSeen) || (one.finder.done && other.finder.done);
  }

  /** Bytes kept for hellos that are not whole yet and beyond holes; the caller bounds the sum over its connections. */
  get heldBytes(): number {
    const [one, other] = this.#sides;
    return one.stream.pendingBytes + one.finder.heldBytes + other.stream.pendingBytes + other.finder.heldBytes;
  }

  /** What was dropped, lost or contradictory in a direction. */
  stream(direction: Direction): Readonly<StreamAssembler> {
    return this.#sides[direction].stream;
  }

  /**
   * Says that a direction is seen from `streamOffset` on only, because the capture began in the middle of the connection. To be
   * called before its first segment, with any offset above 0 where the true one is not known.
   */
  joinAt(direction: Direction, streamOffset: number): void {
    this.#sides[direction].stream.nextOffset = streamOffset;
  }

  /** Takes a segment of a direction at its absolute stream offset. */
  push(direction: Direction, streamOffset: number, bytes: Uint8Array): ConversationHello[] {
    const { stream, finder } = this.#sides[direction];
    if (finder.done || this.done) return [];
    const hellos: ConversationHello[] = [];
    for (const run of stream.push(streamOffset, bytes)) {
      for (const hello of finder.push(run.bytes, run.offset)) hellos.push(this.#mark(direction, hello));
    }
    return hellos;
  }

  /** No more segments will come: holes are given up, and hellos that were not finished come out as they are. */
  end(): ConversationHello[] {
    const hellos: ConversationHello[] = [];
    for (const direction of [0, 1] as const) {
      const { stream, finder } = this.#sides[direction];
      if (this.done) break;
      for (const run of stream.flush()) {
        for (const hello of finder.push(run.bytes, run.offset)) hellos.push(this.#mark(direction, hello));
      }
      for (const hello of finder.end()) hellos.push(this.#mark(direction, hello));
    }
    return hellos;
  }

  #mark(direction: Direction, hello: FoundHello): ConversationHello {
    return hello.kind === 'client' ? this.#markClient(direction, hello) : this.#markServer(direction, hello);
  }

  /**
   * The random stays the same after a HelloRetryRequest (RFC 8446, section 4.1.2), so a retry shows even where the request was
   * not captured, or is captured late. A ClientHello that opens the stream is the first one, in whatever order they come.
   */
  #markClient(direction: Direction, hello: FoundHello): ConversationHello {
    const random = hello.sslv2 ? NO_RANDOM : hello.raw.subarray(RANDOM_START, RANDOM_END);
    const again = this.#clientRandom !== null && random.length > 0 && equal(this.#clientRandom, random);
    const afterRetry = again || (this.#retried && hello.streamOffset > 0);
    if (afterRetry) this.#retried = true;
    this.#clientRandom ??= random.slice();
    if (hello.complete && afterRetry) this.#secondClientSeen = true;
    else if (hello.complete) this.#firstClientSeen = true;
    return { ...hello, direction, afterRetry, helloRetryRequest: false };
  }

  #markServer(direction: Direction, hello: FoundHello): ConversationHello {
    const helloRetryRequest = isRetryRandom(hello.raw.subarray(RANDOM_START, RANDOM_END));
    const afterRetry = this.#retried && !helloRetryRequest;
    if (helloRetryRequest) this.#retried = true;
    else if (hello.complete) this.#serverSeen = true;
    return { ...hello, direction, afterRetry, helloRetryRequest };
  }
}

interface Side {
  readonly stream: StreamAssembler;
  readonly finder: HelloFinder;
}

function makeSide(options: ConversationOptions): Side {
  return { stream: new StreamAssembler(options.stream), finder: new HelloFinder(options.finder) };
}

function equal(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, at) => byte === other[at]);
}

/** Where the random lies in a handshake message: behind type, length and version. */
const RANDOM_START = 6;
const RANDOM_END = 38;
const NO_RANDOM = new Uint8Array(0);
