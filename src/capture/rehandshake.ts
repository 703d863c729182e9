import { TlsnapError } from '../errors.js';
import { closeConnection, requireClosing } from '../native/close-connection.js';
import { formatAddress, formatEndpoint, parseAddress } from '../snapshot/address-text.js';
import { readStat } from '../procfs/identity.js';
import type { Procfs } from '../procfs/procfs.js';
import type { Socket } from '../snapshot/schema/socket.js';
import { assertProcess } from './subtree.js';

/** What `--rehandshake` names: a process, or where connections lead to. */
export type Target =
  { readonly pid: number } | { readonly address: string; /** Null for every port. */ readonly port: number | null };

/** What became of a connection that a target names. */
export interface Closing {
  readonly action: 'socket-closed' | 'socket-spared';
  /** `LOCAL -> REMOTE`. */
  readonly subject: string;
  readonly detail: string;
}

/** `4242`, `192.0.2.1`, `192.0.2.1:443`, `2001:db8::1` or `[2001:db8::1]:443`. Throws a TlsnapError of kind `usage`. */
export function parseTarget(text: string): Target {
  if (/^[1-9]\d{0,9}$/.test(text)) return { pid: Number(text) };
  const match = /^\[([^\]]*)\](?::(\d{1,5}))?$/.exec(text) ?? /^([^:]*)(?::(\d{1,5}))?$/.exec(text);
  const address = match ? (match[1] ?? '') : text;
  const port = match?.[2] === undefined ? null : Number(match[2]);
  const bytes = parseAddress(address);
  if (!bytes || (port !== null && (port < 1 || port > 65_535))) {
    throw new TlsnapError('usage', `--rehandshake ${JSON.stringify(text)}`, 'neither a pid nor an address', [
      'Name a process, or a remote address: 4242, 192.0.2.1, 192.0.2.1:443 or [2001:db8::1]:443.',
    ]);
  }
  // In the form of sockets.ndjson.
  return { address: formatAddress(bytes), port };
}

/**
 * Closes established connections that are older than the window, so that who wants them must shake hands again while the
 * window is open. The connection of whoever runs tlsnap is spared: those of its own ancestors, such as sshd.
 */
export class Rehandshake {
  readonly #targets: readonly Target[];
  readonly #chosen: Socket[] = [];
  readonly #met = new Set<Target>();

  /** Throws a TlsnapError where a target is none, or where this kernel closes no connections. */
  constructor(targets: readonly string[]) {
    this.#targets = targets.map(parseTarget);
    for (const target of this.#targets) if ('pid' in target) assertProcess('--rehandshake', target.pid);
    if (targets.length > 0) requireClosing();
  }

  /** Takes the sockets of the window's start. */
  consider(rows: readonly Socket[]): void {
    if (this.#targets.length === 0) return;
    for (const row of rows) {
      const meant = isOpen(row) ? this.#targets.filter((target) => isMeant(row, target)) : [];
      for (const target of meant) this.#met.add(target);
      if (meant.length > 0 && this.#chosen.length < MAX_CLOSED) this.#chosen.push(row);
    }
  }

  /** The targets that no open connection has, or leads to, as they are written. */
  unmet(): string[] {
    return this.#targets
      .filter((target) => !this.#met.has(target))
      .map((target) => ('pid' in target ? `pid ${target.pid}` : nameOf(target)));
  }

  /** Closes what was chosen. */
  run(procfs: Procfs): Closing[] {
    if (this.#chosen.length === 0) return [];
    const own = ancestors(procfs);
    return this.#chosen.map((row) => close(row, own));
  }
}

function nameOf({ address, port }: Extract<Target, { address: string }>): string {
  return port === null ? address : formatEndpoint(address, port);
}

function close(row: Socket, own: ReadonlySet<number>): Closing {
  const { local, remote, owners, netns } = row;
  const subject = `${formatEndpoint(local.address, local.port)} -> ${remote ? formatEndpoint(remote.address, remote.port) : '?'}`;
  const whose = `netns ${netns}, ${owners.map(({ pid, comm }) => `pid ${pid} ${comm ?? '?'}`).join(', ')}`;
  if (owners.some(({ pid }) => own.has(pid))) {
    return { action: 'socket-spared', subject, detail: `${whose}: it is the connection by which tlsnap is run` };
  }
  const code = closeConnection(row, owners[0]?.pid ?? 0);
  return code === null
    ? { action: 'socket-closed', subject, detail: `${whose}: by --rehandshake` }
    : { action: 'socket-spared', subject, detail: `${whose}: could not be closed, ${code}` };
}

/** Without an owner it is nobody's to open again. */
function isOpen({ proto, state, remote, owners }: Socket): boolean {
  return proto === 'tcp' && state === 'ESTABLISHED' && remote !== null && owners.length > 0;
}

function isMeant({ remote, owners }: Socket, target: Target): boolean {
  if ('pid' in target) return owners.some(({ pid }) => pid === target.pid);
  return remote?.address === target.address && (target.port === null || remote.port === target.port);
}

/** tlsnap itself and all processes above it but pid 1. */
function ancestors(procfs: Procfs): Set<number> {
  const found = new Set<number>();
  for (let pid = process.pid; pid > 1 && !found.has(pid);) {
    found.add(pid);
    try {
      pid = procfs.using(pid, (directory) => readStat(directory).ppid);
    } catch {
      // Hidden, or gone meanwhile: above it nobody is known.
      break;
    }
  }
  return found;
}

const MAX_CLOSED = 10_000;
