import { formatEndpoint } from '../../snapshot/address-text.js';
import type { Handshake } from '../../snapshot/schema/handshake.js';
import { shown, shownOrNull } from './kept-rows.js';
import type { HelloGroup } from './page-data.js';

/** The hellos that one process took part in. */
export interface ProcessHellos {
  readonly pid: number;
  readonly startTimeNs: string | null;
  readonly ppid: number | null;
  readonly uid: number | null;
  readonly comm: string | null;
  readonly exe: string | null;
  client: number;
  server: number;
  hits: number;
  readonly groups: Map<string, Mutable<HelloGroup>>;
  /** Hellos that are in no group. */
  more: number;
}

type Mutable<T> = { -readonly [Field in keyof T]: T[Field] };

/** Groups hellos by process, and within it by what they look like. Bounded both ways. */
export class HelloGroups {
  readonly #byProcess = new Map<string, ProcessHellos>();
  /** Hellos of processes beyond the bound. */
  leftOut = 0;

  add(row: Handshake, hits: number): void {
    const { process, kind } = row;
    if (process?.pid == null) return;
    const hellos = this.#hellosOf(process, process.pid);
    if (!hellos) {
      this.leftOut += 1;
      return;
    }
    hellos[kind] += 1;
    hellos.hits += hits;
    const print = row.fingerprints?.ja4 ?? row.fingerprints?.ja3 ?? row.fingerprints?.ja3s ?? 'no fingerprint';
    const [address, port] = peerOf(row);
    const name = row.tls?.serverName ?? null;
    const key = `${kind} ${print} ${address} ${port} ${name ?? ''}`;
    const group = hellos.groups.get(key);
    if (group) group.count += 1;
    else if (hellos.groups.size < MAX_GROUPS) {
      const peer = shown(formatEndpoint(address, port));
      const fingerprint = shown(print);
      hellos.groups.set(key, { kind, fingerprint, name: shownOrNull(name), peer, count: 1, first: row.time });
    } else hellos.more += 1;
  }

  get(pid: number, startTimeNs: string | null): ProcessHellos | undefined {
    return this.#byProcess.get(processKey(pid, startTimeNs));
  }

  all(): Iterable<ProcessHellos> {
    return this.#byProcess.values();
  }

  #hellosOf(process: NonNullable<Handshake['process']>, pid: number): ProcessHellos | undefined {
    const { startTimeNs, ppid, uid, comm, exe } = process;
    const key = processKey(pid, startTimeNs);
    let hellos = this.#byProcess.get(key);
    if (!hellos && this.#byProcess.size < MAX_PROCESSES) {
      const counts = { client: 0, server: 0, hits: 0, more: 0 };
      hellos = { pid, startTimeNs, ppid, uid, comm, exe, ...counts, groups: new Map() };
      this.#byProcess.set(key, hellos);
    }
    return hellos;
  }
}

export function processKey(pid: number, startTimeNs: string | null): string {
  return `${pid}/${startTimeNs ?? ''}`;
}

/** The other end: of a hello that the process received, its sender. */
function peerOf({ kind, role, flow }: Handshake): [string, number] {
  return role === null || role === kind ? [flow.dst, flow.dstPort] : [flow.src, flow.srcPort];
}

const MAX_PROCESSES = 5000;
const MAX_GROUPS = 40;
