import { type HelloKind, helloKind } from '../../tls/handshake.js';
import { isRetryRandom } from '../../tls/server-hello.js';
import type { CapturedHello } from '../hello/captured-hello.js';
import { type CryptoMessage, CryptoStream } from './crypto-stream.js';
import { cryptoFrames } from './frames.js';
import { InitialKeys, type QuicSide } from './initial-keys.js';
import { copyConnectionId, isConnectionId, type LongPacket, readLongPacket } from './long-header.js';
import type { QuicVersion } from './versions.js';

/** Takes a hello; `fromLow` is that of the datagram which completed it. */
export type QuicHelloSink = (hello: CapturedHello, fromLow: boolean) => void;

/**
 * The QUIC connections between two addresses and ports: their Initial packets, and the hellos in those.
 * Keys follow from the connection id that the client chose (RFC 9001 section 5.2), so the side that a packet opens as
 * a client's is the client; after a Retry they follow from the id that the server chose, and the same hello is sent again.
 */
export class QuicFlow {
  private readonly sink: QuicHelloSink;
  private connections: Connection[] = [];
  /** Packets that no key opened since the last connection began. */
  private failures = 0;

  constructor(sink: QuicHelloSink) {
    this.sink = sink;
  }

  /** True once this is given up: packets that no key opens have used up the budget. */
  get done(): boolean {
    return this.failures >= MAX_FAILURES;
  }

  /** True where every connection so far has had both its hellos; another one may still come. */
  get idle(): boolean {
    return this.connections.every(({ done }) => done);
  }

  /** Whether a connection still waits for a hello, which its keys open. */
  get unfinished(): boolean {
    return !this.idle;
  }

  /** Bytes kept for hellos that are not whole yet. */
  get heldBytes(): number {
    return this.connections.reduce((sum, { heldBytes }) => sum + heldBytes, 0);
  }

  /** Takes the datagram in buffer[start, end). */
  datagram(fromLow: boolean, buffer: Buffer, start: number, end: number, timeNs: () => bigint): void {
    let at = start;
    // Packets may be coalesced (RFC 9000 section 12.2); a datagram has no room for more than a few.
    for (let count = 0; count < MAX_COALESCED && at < end && !this.done; count++) {
      const packet = readLongPacket(buffer, at, end);
      if (!packet) return;
      if (packet.kind === 'retry') this.retry(fromLow, buffer, packet);
      else if (packet.kind === 'initial') this.initial(fromLow, buffer, packet, timeNs);
      at = packet.end;
    }
  }

  /** No more datagrams will come: hellos that were not finished come out as they are. */
  end(): void {
    for (const connection of this.connections) connection.end(this.sink);
    this.connections = [];
  }

  private retry(fromLow: boolean, buffer: Buffer, packet: LongPacket): void {
    for (const connection of this.connections) {
      if (connection.clientIsLow === fromLow || !connection.isToClient(buffer, packet)) continue;
      connection.noteRetry(copyConnectionId(buffer, packet.scidAt));
    }
  }

  private initial(fromLow: boolean, buffer: Buffer, packet: LongPacket, timeNs: () => bigint): void {
    for (let index = this.connections.length - 1; index >= 0; index--) {
      const connection = this.connections[index];
      if (!connection?.concerns(buffer, packet, fromLow)) continue;
      if (connection.done) return;
      const side = connection.clientIsLow === fromLow ? 'client' : 'server';
      const frames = connection.open(buffer, packet, side);
      if (!frames) continue;
      connection.take(side, buffer, packet, frames, timeNs(), this.sink);
      return;
    }
    this.newKeys(fromLow, buffer, packet, timeNs);
  }

  /** A client's packet with a connection id that no known keys follow from: a new connection, or one after a Retry. */
  private newKeys(fromLow: boolean, buffer: Buffer, packet: LongPacket, timeNs: () => bigint): void {
    const dcid = copyConnectionId(buffer, packet.dcidAt);
    const keys = new InitialKeys(packet.version, dcid);
    const frames = keys.open(buffer, packet, 'client');
    if (!frames) {
      this.failures++;
      return;
    }
    this.failures = 0;
    let connection = this.connections.find(
      (known) => !known.done && known.clientIsLow === fromLow && known.retriedTo(buffer, packet),
    );
    if (connection) connection.rekey(keys, dcid);
    else {
      connection = new Connection(keys, dcid, fromLow);
      if (this.connections.length >= MAX_CONNECTIONS) this.connections.shift()?.end(this.sink);
      this.connections.push(connection);
    }
    connection.take('client', buffer, packet, frames, timeNs(), this.sink);
  }
}

/** What a connection needs as long as hellos are looked for in it. */
interface Search {
  /** The id that the client's first packet was addressed to, or its first one after a Retry. */
  dcid: Uint8Array;
  /** By version: the server may answer in another one, with keys from the same id (RFC 9369 section 4.1). */
  readonly keys: Map<QuicVersion, InitialKeys>;
  readonly client: CryptoStream;
  readonly server: CryptoStream;
}

class Connection {
  readonly clientIsLow: boolean;
  /** Null once both hellos are seen, or too many packets came without them: then only the ids stay. */
  private search: Search | null;
  /** The ids that the client's packets are addressed to: the one it made up, and what the server asks for. */
  private serverIds: Uint8Array[];
  private clientId: Uint8Array | null = null;
  private retryId: Uint8Array | null = null;
  private retried = false;
  private clientSeen = false;
  private packets = 0;

  constructor(keys: InitialKeys, dcid: Uint8Array, clientIsLow: boolean) {
    this.search = {
      dcid,
      keys: new Map([[keys.version, keys]]),
      client: new CryptoStream(),
      server: new CryptoStream(),
    };
    this.serverIds = [dcid];
    this.clientIsLow = clientIsLow;
  }

  get done(): boolean {
    return this.search === null;
  }

  get heldBytes(): number {
    return this.search === null ? 0 : this.search.client.heldBytes + this.search.server.heldBytes;
  }

  /** The frames of a packet that `side` sent; null where the keys do not open it, or nothing is looked for any more. */
  open(buffer: Buffer, packet: LongPacket, side: QuicSide): Buffer | null {
    return this.search && keysFor(this.search, packet.version).open(buffer, packet, side);
  }

  concerns(buffer: Buffer, packet: LongPacket, fromLow: boolean): boolean {
    if (fromLow !== this.clientIsLow) return this.isToClient(buffer, packet);
    for (const id of this.serverIds) if (isConnectionId(buffer, packet.dcidAt, id)) return true;
    return false;
  }

  isToClient(buffer: Buffer, packet: LongPacket): boolean {
    return this.clientId !== null && isConnectionId(buffer, packet.dcidAt, this.clientId);
  }

  /** Only the first Retry counts (RFC 9000 section 17.2.5.2). */
  noteRetry(scid: Uint8Array): void {
    this.retryId ??= scid;
  }

  retriedTo(buffer: Buffer, packet: LongPacket): boolean {
    return this.retryId !== null && isConnectionId(buffer, packet.dcidAt, this.retryId);
  }

  rekey(keys: InitialKeys, dcid: Uint8Array): void {
    if (this.search) {
      this.search.dcid = dcid;
      this.search.keys.clear();
      this.search.keys.set(keys.version, keys);
    }
    this.serverIds = [dcid];
  }

  /** Takes the frames of a packet that `side` sent. */
  take(side: QuicSide, buffer: Buffer, packet: LongPacket, frames: Buffer, timeNs: bigint, sink: QuicHelloSink): void {
    if (side === 'client') this.clientId ??= copyConnectionId(buffer, packet.scidAt);
    // The client addresses its next packets to the id that the server's first one names.
    else this.noteServerId(buffer, packet);
    const messages = this.search?.[side].push(cryptoFrames(frames), timeNs) ?? [];
    for (const message of messages) this.message(side, message, sink);
    if (++this.packets >= MAX_PACKETS) this.end(sink);
  }

  private noteServerId(buffer: Buffer, { scidAt }: LongPacket): void {
    if (this.serverIds.length >= MAX_SERVER_IDS || this.serverIds.some((id) => isConnectionId(buffer, scidAt, id)))
      return;
    this.serverIds.push(copyConnectionId(buffer, scidAt));
  }

  end(sink: QuicHelloSink): void {
    for (const side of ['client', 'server'] as const) {
      const message = this.search?.[side].end();
      if (message) this.message(side, message, sink);
    }
    this.search = null;
  }

  private message(side: QuicSide, message: CryptoMessage, sink: QuicHelloSink): void {
    const kind: HelloKind | null = helloKind(message.raw.readUInt8(0));
    if (kind !== side || this.search === null) return;
    const isRetry = kind === 'server' && isRetryRandom(message.raw.subarray(RANDOM_START, RANDOM_END));
    const afterRetry = this.retried && !isRetry;
    const fromLow = (side === 'client') === this.clientIsLow;
    const { raw, complete, segments, streamOffset, error, timeNs } = message;
    sink(
      {
        kind,
        transport: 'quic',
        raw,
        complete,
        segments,
        records: 0,
        streamOffset,
        sslv2: false,
        afterRetry,
        error,
        timeNs,
      },
      fromLow,
    );
    if (isRetry) this.retried = true;
    if (kind === 'client' && message.complete) this.clientSeen = true;
    if (kind === 'server' && !isRetry && message.complete && this.clientSeen) this.search = null;
  }
}

function keysFor({ dcid, keys }: Search, version: QuicVersion): InitialKeys {
  let found = keys.get(version);
  if (!found) {
    found = new InitialKeys(version, dcid);
    keys.set(version, found);
  }
  return found;
}

/** Where the random stands in a handshake message. */
const RANDOM_START = 6;
const RANDOM_END = 38;
/**
 * Packets that no key opened: not QUIC, or a connection whose start was not captured. Each costs what one that opens does, so
 * the bound is for those who fill a capture with nothing else; it is far above what hides a connection behind a few of them.
 */
const MAX_FAILURES = 1024;
const MAX_COALESCED = 16;
/** At the same time between the same two ports; a proxy may have several. */
const MAX_CONNECTIONS = 8;
/** Initial packets of one connection. */
const MAX_PACKETS = 128;
const MAX_SERVER_IDS = 4;
