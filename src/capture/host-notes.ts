import { counted } from '../counted.js';
import { hiddenProcesses, type SeenProcess } from '../host/hidden-processes.js';
import type { HostReader } from '../host/reader.js';
import type { Scope } from '../native/scope.js';
import { formatTimeNs } from '../snapshot/time-text.js';
import { noHolders, type BpfHolders } from '../procfs/bpf-holders.js';
import { descendants } from '../procfs/descendants.js';
import { ReadFault } from '../procfs/field-errors.js';
import { Procfs } from '../procfs/procfs.js';
import type { SocketSweep } from '../procfs/socket-sweep.js';
import type { Host } from '../snapshot/schema/host.js';
import type { Process } from '../snapshot/schema/process.js';
import type { Socket } from '../snapshot/schema/socket.js';
import { cgroupPaths } from './cgroup2.js';
import type { Note } from './notes.js';
import { socketInScope } from './socket-scope.js';

/** What of the host is ours to keep. */
export interface WatchedPart {
  /** Mount point of the cgroup2 hierarchy; null where none shows its root. */
  readonly mount: string | null;
  /** Path of the watched cgroup below the root; `/` for the whole host. */
  readonly cgroup: string;
  readonly scope: Scope;
}

/** Puts what is read of the host into notes, beside what the kernel tells, and says in actions that it was read. */
export class HostNotes {
  readonly #reader: HostReader;
  readonly #part: WatchedPart;
  readonly #note: (note: Note) => void;
  readonly #seen = new Map<string, SeenProcess>();

  constructor(reader: HostReader, part: WatchedPart, note: (note: Note) => void) {
    this.#reader = reader;
    this.#part = part;
    this.#note = note;
  }

  act(action: string, subject: string, detail: string | null): void {
    const time = formatTimeNs(BigInt(Date.now()) * 1_000_000n);
    this.#note({ note: 'action', action: { time, action, subject, detail } });
  }

  /** A process as read from /proc. */
  process(row: Process): void {
    // The first look, which reads a name or two, is left unsaid.
    if (row.readAt !== null) {
      const file = row.exeHashedFrom === 'process' ? `/proc/${row.pid}/exe` : row.exe;
      this.act('process-read', String(row.pid), row.exeSha256 === null ? null : `and hashed ${file ?? ''}`);
    } else if (row.exeSha256 !== null) {
      this.act('executable-read', row.exe ?? '', 'hashed; its process was gone');
    }
    const { pid, startTimeNs, comm } = row;
    if (startTimeNs !== null && this.#seen.size < MAX_SEEN)
      this.#seen.set(`${pid} ${startTimeNs}`, { pid, startTimeNs, comm });
    this.#note({ note: 'process', row });
  }

  /** It ended: nothing can hide it any more. */
  exited(pid: number, startTimeNs: string): void {
    this.#seen.delete(`${pid} ${startTimeNs}`);
  }

  cgroups(): void {
    const { mount } = this.#part;
    if (mount !== null) this.#note({ note: 'cgroups', paths: cgroupPaths(mount) });
  }

  /** The open sockets of what is watched; `onRows` is told of them too. Returns what else the descriptors told. */
  async sockets(when: Socket['when'], onRows?: (rows: Socket[]) => void): Promise<BpfHolders> {
    this.act('sockets-read', '/proc', `every process's descriptors and network tables, at the ${when}`);
    const subtree = this.#subtree();
    const limit = (text: string): void => this.#note({ note: 'limit', text: `At the ${when} of the window ${text}.` });
    let sweep: SocketSweep;
    try {
      sweep = await this.#reader.sockets(when, (rows) => {
        const ours = rows.filter((row) => this.#isWatched(row, subtree));
        onRows?.(ours);
        if (ours.length > 0) this.#note({ note: 'sockets', rows: ours });
      });
    } catch (error) {
      // The process that reads /proc hung, or was ended: what the kernel told is worth no less for it.
      if (!(error instanceof ReadFault)) throw error;
      limit(`not all sockets were listed, nor who holds BPF objects (${error.code})`);
      return noHolders();
    }
    if (sweep.truncated) limit('not all sockets were listed');
    if (sweep.ownersTruncated > 0) limit(`not all owners of ${counted(sweep.ownersTruncated, 'socket')} were listed`);
    if (sweep.processesUnreadable > 0) {
      limit(
        `the descriptors of ${counted(sweep.processesUnreadable, 'process', 'processes')} could not be read: who holds a socket there is not known`,
      );
    }
    if (sweep.netnsWithoutProcess.length > 0) {
      limit(
        `${counted(sweep.netnsWithoutProcess.length, 'network namespace')} without a process could not be looked into`,
      );
    }
    if (sweep.errors.length > 0) limit(`${counted(sweep.errors.length, 'table')} of sockets could not be read`);
    return sweep.bpf;
  }

  /** Processes that the kernel told of and /proc does not list. */
  hidden(): Host['hiddenProcesses'] {
    return hiddenProcesses([...this.#seen.values()], new Procfs());
  }

  /** With a cgroup asked for, only what its processes hold: the rest of the host is not ours to keep. */
  #isWatched(socket: Socket, subtree: ReadonlySet<number>): boolean {
    const { cgroup, scope } = this.#part;
    if (!socketInScope(socket, scope, (pid) => subtree.has(pid))) return false;
    if (cgroup === '/') return true;
    return socket.owners.some(({ pid }) => {
      const path = this.#reader.identify(pid).cgroup;
      return path === cgroup || path?.startsWith(`${cgroup}/`);
    });
  }

  /** The processes in scope as far as /proc and the kernel's reports tell; whom init adopted, only the latter do. */
  #subtree(): ReadonlySet<number> {
    const { pid } = this.#part.scope;
    if (pid === null) return new Set();
    const seen = [...this.#seen.values()].map((process) => process.pid);
    return new Set([...descendants(new Procfs(), pid).map((process) => process.pid), ...seen]);
  }
}

/** More than a host has pids for by default; where ends are not told, the first ones are compared. */
const MAX_SEEN = 65_536;
