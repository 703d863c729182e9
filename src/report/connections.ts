import type { Hit } from '../intel/hit.js';
import { oldestKeys } from '../oldest.js';
import type { Handshake } from '../snapshot/schema/handshake.js';

/** What a client's hello says that its server's answer is told with. */
export interface ClientSide {
  readonly seq: number;
  readonly time: string;
  readonly flow: Handshake['flow'];
  readonly ja3: string | null;
  readonly ja4: string | null;
  readonly serverName: string | null;
  readonly hits: readonly Hit[];
}

/** A connection as one end of it on this host saw it: either hello may be missing. */
export interface Connection {
  readonly client: ClientSide | null;
  readonly server: Handshake | null;
  readonly hits: readonly Hit[];
}

/**
 * Joins the hellos of a connection. On loopback both ends saw both hellos, and give a connection each. Holds the
 * clients that wait for an answer, and forgets the oldest of too many: they count as unanswered.
 */
export class Connections {
  readonly #waiting = new Map<string, ClientSide>();
  readonly #limit: number;

  constructor(limit = MAX_WAITING) {
    this.#limit = limit;
  }

  /** Takes a row and gives the connections that are complete with it, or were given up for it. */
  take(row: Handshake, hits: readonly Hit[]): Connection[] {
    const key = connectionKey(row);
    const waiting = this.#waiting.get(key) ?? null;
    if (row.kind === 'server') {
      // The retry is no answer yet: the client goes on.
      if (row.tls?.helloRetryRequest) return [];
      this.#waiting.delete(key);
      return [{ client: waiting, server: row, hits: [...(waiting?.hits ?? []), ...hits] }];
    }
    // JA3 and JA4 are those of the first hello.
    if (row.hello.afterRetry && waiting) return [];
    const given = waiting ? [unanswered(waiting)] : [];
    this.#waiting.delete(key);
    if (this.#waiting.size >= this.#limit) given.push(...this.#giveUpOldest());
    this.#waiting.set(key, clientSide(row, hits));
    return given;
  }

  /** The client whose answer a server's hello is; asked before `take`. */
  clientOf(row: Handshake): ClientSide | null {
    return this.#waiting.get(connectionKey(row)) ?? null;
  }

  /** The clients that nobody answered. */
  *end(): Generator<Connection> {
    for (const client of this.#waiting.values()) yield unanswered(client);
    this.#waiting.clear();
  }

  #giveUpOldest(): Connection[] {
    const given: Connection[] = [];
    for (const key of oldestKeys(this.#waiting)) {
      const client = this.#waiting.get(key);
      this.#waiting.delete(key);
      if (client) given.push(unanswered(client));
    }
    return given;
  }
}

function unanswered(client: ClientSide): Connection {
  return { client, server: null, hits: client.hits };
}

function clientSide({ seq, time, flow, fingerprints, tls }: Handshake, hits: readonly Hit[]): ClientSide {
  const { ja3 = null, ja4 = null } = fingerprints ?? {};
  return { seq, time, flow, ja3, ja4, serverName: tls?.serverName ?? null, hits };
}

/** The same for both directions; the socket's cookie tells the two ends of a loopback connection apart. */
function connectionKey({ transport, kind, flow }: Handshake): string {
  const { src, srcPort, dst, dstPort, netns, cookie } = flow;
  const ends = kind === 'client' ? `${src} ${srcPort} ${dst} ${dstPort}` : `${dst} ${dstPort} ${src} ${srcPort}`;
  return `${transport} ${netns ?? ''} ${cookie ?? ''} ${ends}`;
}

const MAX_WAITING = 65_536;
