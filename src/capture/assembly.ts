import { oldestKeys } from '../oldest.js';
import { HelloFinder, type FoundHello } from '../tls/hello-finder.js';
import { isRetryRandom } from '../tls/server-hello.js';
import { StreamAssembler } from '../tls/stream.js';
import type { AcceptedRecord, ChunkRecord, KernelFlow, KernelJa3, KernelTask } from '../native/records.js';

/** One hello as one end of a connection on this host saw it, put together from its chunks. */
export interface AssembledHello {
  readonly bootTimeNs: bigint;
  readonly flow: KernelFlow;
  /** True where this end sent it. */
  readonly outgoing: boolean;
  readonly accepted: boolean;
  readonly owner: KernelTask | null;
  readonly sender: KernelTask | null;
  readonly hello: FoundHello;
  /** The kernel's own digests; null where it left them to user space. */
  readonly ja3: KernelJa3 | null;
  readonly afterRetry: boolean;
}

/**
 * Puts the kernel's chunks together to hellos. A hello is handed out as soon as it is whole and its owner is known, or
 * else by `end`, or when too many newer connections wait too. Chunks are copied where they must be kept.
 */
export class HelloAssembly {
  readonly #emit: (hello: AssembledHello) => void;
  readonly #limits: AssemblyLimits;
  /** The oldest first. */
  readonly #connections = new Map<bigint, Connection>();
  /** Chunks that reached a listener, by addresses, until their connection is known. */
  readonly #listening = new Map<string, ChunkRecord[]>();
  /** Connections that were given up for newer ones while the rest of a hello, or the owner, was still to come. */
  retired = 0;

  constructor(emit: (hello: AssembledHello) => void, limits: AssemblyLimits = LIMITS) {
    this.#emit = emit;
    this.#limits = limits;
  }

  chunk(chunk: ChunkRecord): void {
    if (!chunk.listener) {
      this.#take(chunk);
      return;
    }
    const key = flowKey(chunk.flow);
    const waiting = this.#listening.get(key);
    if (waiting) waiting.push(kept(chunk));
    else this.#listening.set(key, [kept(chunk)]);
    if (this.#listening.size <= this.#limits.listening) return;
    for (const oldest of oldestKeys(this.#listening)) {
      this.retired++;
      this.#endListening(oldest);
    }
  }

  accepted({ flow, base }: AcceptedRecord): void {
    const key = flowKey(flow);
    const chunks = this.#listening.get(key) ?? [];
    this.#listening.delete(key);
    for (const chunk of chunks) {
      this.#take(rebased(chunk, flow, base));
    }
  }

  /** Hands out what is left: hellos cut short, and those whose owner never showed. */
  end(): void {
    for (const key of [...this.#listening.keys()]) this.#endListening(key);
    for (const cookie of [...this.#connections.keys()]) this.#endConnection(cookie);
  }

  #take(chunk: ChunkRecord): void {
    const { cookie } = chunk.flow;
    let connection = this.#connections.get(cookie);
    // A socket may connect again, after connect(2) with AF_UNSPEC: it stays the same socket, and is another connection.
    if (connection && !isOf(chunk, connection)) {
      this.#endConnection(cookie);
      connection = undefined;
    }
    if (!connection) {
      if (chunk.bytes.length === 0 || (!chunk.speculative && chunk.streamOffset !== chunk.helloOffset)) return;
      connection = newConnection(chunk);
      this.#connections.set(cookie, connection);
      this.#makeRoom();
    }
    if (chunk.owner && !chunk.owner.kernelThread) connection.owner = keptTask(chunk.owner);
    if (chunk.bytes.length > 0) place(connection, chunk);
    this.#handOut(connection);
    if (
      connection.clientSeen &&
      connection.serverSeen &&
      connection.ready.length === 0 &&
      connection.open.length === 0
    ) {
      this.#connections.delete(cookie);
    }
  }

  /** Of most old connections both hellos are out, or never will be. */
  #makeRoom(): void {
    if (this.#connections.size <= this.#limits.connections) return;
    for (const oldest of oldestKeys(this.#connections)) {
      const { open, ready } = this.#connections.get(oldest) ?? { open: [], ready: [] };
      if (open.length + ready.length > 0) this.retired++;
      this.#endConnection(oldest);
    }
  }

  /** What reached a listener only. */
  #endListening(key: string): void {
    const chunks = this.#listening.get(key) ?? [];
    this.#listening.delete(key);
    // Their offsets are sequence numbers. Data that reaches a listener is the first of its stream.
    const base = chunks.find(({ speculative }) => !speculative)?.helloOffset ?? 0;
    for (const chunk of chunks) if (!chunk.speculative) this.#take(rebased(chunk, { ...chunk.flow, cookie: 0n }, base));
    this.#endConnection(0n);
  }

  #endConnection(cookie: bigint): void {
    const connection = this.#connections.get(cookie);
    if (!connection) return;
    this.#connections.delete(cookie);
    for (const part of connection.open) connection.ready.push(finishPart(part));
    connection.open = [];
    this.#handOut(connection, true);
  }

  #handOut(connection: Connection, last = false): void {
    // The owner of an accepted connection shows with the ServerHello: until then nobody can be named.
    if (connection.ready.length === 0 || (!last && connection.owner === null)) return;
    for (const { part, hello } of connection.ready) {
      const { flow, accepted, owner } = connection;
      const retry = hello.kind === 'server' && isRetry(hello);
      const afterRetry = connection.retried && !retry;
      if (retry) connection.retried = true;
      else if (hello.kind === 'server') connection.serverSeen = true;
      else connection.clientSeen = true;
      const { bootTimeNs, outgoing, sender, ja3 } = part;
      this.#emit({ bootTimeNs, flow, outgoing, accepted, owner, sender, hello, ja3, afterRetry });
    }
    connection.ready = [];
  }
}

/** How many are waited for at once. */
export interface AssemblyLimits {
  readonly connections: number;
  /** Known by their listener only. */
  readonly listening: number;
}

interface Connection {
  readonly flow: KernelFlow;
  readonly accepted: boolean;
  owner: KernelTask | null;
  retried: boolean;
  clientSeen: boolean;
  serverSeen: boolean;
  /** Hellos that are not whole yet. */
  open: Part[];
  /** Whole hellos whose owner is not known yet. */
  ready: { part: Part; hello: FoundHello }[];
  /** Chunks that came before what precedes them. */
  early: ChunkRecord[];
}

/** One hello in the making. */
interface Part {
  readonly bootTimeNs: bigint;
  readonly outgoing: boolean;
  readonly sender: KernelTask | null;
  readonly kind: 'client' | 'server';
  readonly ja3: KernelJa3 | null;
  readonly sslv2: boolean;
  readonly start: number;
  readonly stream: StreamAssembler;
  readonly finder: HelloFinder;
  segments: number;
  /** What was seen in order, for a hello that the parser does not recognise. */
  seen: Buffer[];
}

function newConnection({ flow, accepted, owner }: ChunkRecord): Connection {
  return {
    flow: keptFlow(flow),
    accepted,
    owner: owner && !owner.kernelThread ? keptTask(owner) : null,
    retried: false,
    clientSeen: false,
    serverSeen: false,
    open: [],
    ready: [],
    early: [],
  };
}

function isOf({ flow, accepted }: ChunkRecord, connection: Connection): boolean {
  const known = connection.flow;
  return (
    accepted === connection.accepted &&
    flow.localPort === known.localPort &&
    flow.remotePort === known.remotePort &&
    flow.localAddress.equals(known.localAddress) &&
    flow.remoteAddress.equals(known.remoteAddress)
  );
}

function place(connection: Connection, chunk: ChunkRecord): void {
  if (chunk.speculative) {
    for (const part of connection.open) if (part.outgoing === chunk.outgoing) feed(connection, part, chunk);
    connection.early.push(kept(chunk));
    return;
  }
  const known = connection.open.find(
    ({ outgoing, start }) => outgoing === chunk.outgoing && start === chunk.helloOffset,
  );
  // The kernel ships a hello from its first byte on; what follows a hello that is whole already is none of it.
  if (!known && chunk.streamOffset !== chunk.helloOffset) return;
  const part = known ?? newPart(chunk);
  if (!known) connection.open.push(part);
  feed(connection, part, chunk);
  if (known) return;
  for (const early of connection.early) if (early.outgoing === part.outgoing) feed(connection, part, early);
}

function newPart(chunk: ChunkRecord): Part {
  return {
    bootTimeNs: chunk.bootTimeNs,
    outgoing: chunk.outgoing,
    sender: chunk.sender?.kernelThread ? null : chunk.sender,
    kind: chunk.kind ?? 'client',
    ja3: chunk.ja3,
    sslv2: chunk.sslv2,
    start: chunk.helloOffset,
    stream: new StreamAssembler({ start: chunk.helloOffset }),
    finder: new HelloFinder({ maxHellos: 1 }),
    segments: 0,
    seen: [],
  };
}

function feed(connection: Connection, part: Part, chunk: ChunkRecord): void {
  if (!connection.open.includes(part)) return;
  if (!chunk.continued) part.segments++;
  for (const run of part.stream.push(chunk.streamOffset, chunk.bytes)) {
    part.seen.push(Buffer.from(run.bytes));
    const [hello] = part.finder.push(run.bytes, run.offset);
    if (!hello) continue;
    connection.open = connection.open.filter((other) => other !== part);
    connection.ready.push({ part, hello: { ...hello, raw: Uint8Array.from(hello.raw), segments: part.segments } });
    return;
  }
}

/** A hello of which no more will come: as far as it goes, or the bare bytes where they are no hello at all. */
function finishPart(part: Part): { part: Part; hello: FoundHello } {
  const [cut] = part.finder.end();
  if (cut) return { part, hello: { ...cut, raw: Uint8Array.from(cut.raw), segments: part.segments } };
  return {
    part,
    hello: {
      kind: part.kind,
      raw: new Uint8Array(Buffer.concat(part.seen)),
      complete: false,
      segments: part.segments,
      records: 0,
      streamOffset: part.start,
      sslv2: part.sslv2,
      error: `stream at offset ${part.start}: looked like a hello to the kernel, and is none`,
    },
  };
}

/** A listener's chunk as the connection's own, whose stream begins at the sequence number `base`. */
function rebased(chunk: ChunkRecord, flow: KernelFlow, base: number): ChunkRecord {
  return {
    ...chunk,
    flow,
    helloOffset: chunk.speculative ? chunk.helloOffset : (chunk.helloOffset - base) >>> 0,
    streamOffset: (chunk.streamOffset - base) >>> 0,
  };
}

function isRetry({ raw }: FoundHello): boolean {
  return isRetryRandom(raw.subarray(RANDOM_START, RANDOM_END));
}

function kept(chunk: ChunkRecord): ChunkRecord {
  return { ...chunk, flow: keptFlow(chunk.flow), bytes: Buffer.from(chunk.bytes) };
}

function keptFlow(flow: KernelFlow): KernelFlow {
  return { ...flow, localAddress: keptBytes(flow.localAddress), remoteAddress: keptBytes(flow.remoteAddress) };
}

function keptTask(task: KernelTask): KernelTask {
  return { ...task, comm: keptBytes(task.comm), threadComm: keptBytes(task.threadComm) };
}

/** Not a part of Node's pool, of which it would hold 8 kB for as long as the connection is waited for. */
function keptBytes(bytes: Buffer): Buffer {
  const copy = Buffer.alloc(bytes.length);
  bytes.copy(copy);
  return copy;
}

function flowKey({ localAddress, remoteAddress, localPort, remotePort, netns }: KernelFlow): string {
  return `${localAddress.toString('latin1')}${remoteAddress.toString('latin1')}${localPort},${remotePort},${netns}`;
}

/** Some 100 MB where each waits with a hello, as in a flood that nobody answers. */
const LIMITS: AssemblyLimits = { connections: 65_536, listening: 16_384 };
/** Where the random lies in a handshake message: behind type, length and version (RFC 8446 section 4.1.3). */
const RANDOM_START = 6;
const RANDOM_END = 38;
