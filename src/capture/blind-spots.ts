import { formatEndpoint } from '../snapshot/address-text.js';
import type { Socket } from '../snapshot/schema/socket.js';
import type { HandshakeRow } from '../snapshot/timeline-file.js';

/**
 * What the window could not see, or could not ascribe, to be read at once: who held connections that are older than the
 * window, and hellos of nobody. Bounded; the snapshot has all of them.
 */
export class BlindSpots {
  /** Connections that were established when the window opened. */
  olderSockets = 0;
  /** Hellos without a process. */
  ownerless = 0;
  readonly #older = new Map<string, OlderConnections>();
  readonly #ownerless: string[] = [];

  /** Takes a row of `sockets.ndjson`. */
  socket({ when, state, remote, owners }: Socket): void {
    if (when !== 'start' || state !== 'ESTABLISHED') return;
    this.olderSockets++;
    const held = owners.map(({ pid, comm }) => `${comm ?? '?'} (${pid})`).slice(0, SHOWN_OWNERS);
    const who = held.length === 0 ? 'nobody known' : held.join(', ') + (owners.length > held.length ? ', ...' : '');
    const address = remote?.address ?? '?';
    const text = `${who} with ${address}`;
    const known = this.#older.get(text);
    if (known) known.count++;
    else if (this.#older.size < MAX_GROUPS) this.#older.set(text, { text, count: 1, isLocal: isLoopback(address) });
  }

  /** Takes a line of the timeline. */
  hello({ kind, time, flow, tls, process }: HandshakeRow): void {
    if (process?.attribution !== 'none') return;
    if (this.ownerless++ >= SHOWN) return;
    const ends = `${formatEndpoint(flow.src, flow.srcPort)} to ${formatEndpoint(flow.dst, flow.dstPort)}`;
    const name = tls?.serverName == null ? '' : `, ${shortened(tls.serverName)}`;
    this.#ownerless.push(`${kind} hello from ${ends}${name}, at ${time}`);
  }

  /** A line for each process and address, those beyond this host and with most connections first. */
  olderLines(): string[] {
    const groups = [...this.#older.values()].sort(
      (a, b) => Number(a.isLocal) - Number(b.isLocal) || b.count - a.count || (a.text < b.text ? -1 : 1),
    );
    const shown = groups.slice(0, SHOWN);
    const rest = this.olderSockets - shown.reduce((sum, { count }) => sum + count, 0);
    return [
      ...shown.map(({ text, count }) => (count === 1 ? text : `${text}, ${count} connections`)),
      ...(rest > 0 ? [`and ${rest} more: tlsnap report SNAPSHOT --format csv --table sockets has all`] : []),
    ];
  }

  /** A line for each hello. */
  ownerlessLines(): string[] {
    const rest = this.ownerless - this.#ownerless.length;
    const more = `and ${rest} more: tlsnap report SNAPSHOT --format csv has all, with none as attribution`;
    return [...this.#ownerless, ...(rest > 0 ? [more] : [])];
  }
}

interface OlderConnections {
  readonly text: string;
  readonly isLocal: boolean;
  count: number;
}

function isLoopback(address: string): boolean {
  return address.startsWith('127.') || address === '::1';
}

function shortened(text: string): string {
  return text.length > MAX_NAME ? `${text.slice(0, MAX_NAME)}...` : text;
}

const SHOWN = 10;
const SHOWN_OWNERS = 3;
/** Of a server name: what a line of a terminal can take. */
const MAX_NAME = 64;
/** Processes and addresses that are told apart; sockets beyond are counted only. */
const MAX_GROUPS = 10_000;
