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
}

/** A connection as one end of it on this host saw it: either hello may be missing. */
export interface Connection {
  readonly client: ClientSide | null;
  readonly server: Handshake | null;
  /** Of all its hellos, also of a HelloRetryRequest and of the hello after it. */
  readonly hits: readonly Hit[];
}

/**
 * Joins the hellos of a connection. On loopback both ends saw both hellos, and give a connection each. Holds the
 * clients that wait for an answer, and forgets the oldest of too many: they count as unanswered.
 */
export class Connections {
  readonly #waiting = new Map<string, Connection>();
  readonly #limit: number;

  constructor(limit = MAX_WAITING) {
    this.#limit = limit;
  }

  /** Takes a row and gives the connections that are complete with it, or were given up for it. */
  take(row: Handshake, hits: readonly Hit[]): Connection[] {
    const key = connectionKey(row);
    const waiting = this.#waiting.get(key);
    const all = waiting && waiting.hits.length > 0 ? [...waiting.hits, ...hits] : hits;
    if (row.kind === 'server') {
      // The retry is no answer yet: the client goes on. Of one whose client nobody saw, only hits are worth keeping.
      if (row.tls?.helloRetryRequest) {
        return hits.length === 0
          ? []
          : this.#wait(key, waiting ? { ...waiting, hits: all } : { client: null, server: row, hits });
      }
      this.#waiting.delete(key);
      return [{ client: waiting?.client ?? null, server: row, hits: all }];
    }
    // JA3 and JA4 are those of the first hello.
    if (row.hello.afterRetry && waiting) {
      return this.#wait(key, { client: waiting.client ?? clientSide(row), server: null, hits: all });
    }
    this.#waiting.delete(key);
    const given = this.#wait(key, { client: clientSide(row), server: null, hits });
    return waiting ? [waiting, ...given] : given;
  }

  /** The client whose answer a server's hello is; asked before `take`. */
  clientOf(row: Handshake): ClientSide | null {
    return this.#waiting.get(connectionKey(row))?.client ?? null;
  }

  /** The clients that nobody answered. */
  *end(): Generator<Connection> {
    yield* this.#waiting.values();
    this.#waiting.clear();
  }

  /** Remembers a connection in the place that it has already, or as the newest; gives those that were given up for it. */
  #wait(key: string, connection: Connection): Connection[] {
    const given = !this.#waiting.has(key) && this.#waiting.size >= this.#limit ? this.#giveUpOldest() : [];
    this.#waiting.set(key, connection);
    return given;
  }

  #giveUpOldest(): Connection[] {
    const given: Connection[] = [];
    for (const key of oldestKeys(this.#waiting)) {
      const connection = this.#waiting.get(key);
      this.#waiting.delete(key);
      if (connection) given.push(connection);
    }
    return given;
  }
}

function clientSide({ seq, time, flow, fingerprints, tls }: Handshake): ClientSide {
  const { ja3 = null, ja4 = null } = fingerprints ?? {};
  return { seq, time, flow, ja3, ja4, serverName: tls?.serverName ?? null };
}

/** The same for both directions; the socket's cookie tells the two ends of a loopback connection apart. */
function connectionKey({ transport, kind, flow }: Handshake): string {
  const { src, srcPort, dst, dstPort, netns, cookie } = flow;
  const ends = kind === 'client' ? `${src} ${srcPort} ${dst} ${dstPort}` : `${dst} ${dstPort} ${src} ${srcPort}`;
  return `${transport} ${netns ?? ''} ${cookie ?? ''} ${ends}`;
}

const MAX_WAITING = 65_536;
