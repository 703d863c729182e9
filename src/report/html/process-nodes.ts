import type { Process } from '../../snapshot/schema/process.js';
import { type HelloGroups, processKey, type ProcessHellos } from './hello-groups.js';
import { count, shown, shownOrNull } from './kept-rows.js';
import type { ProcessNode, ProcessTree } from './page-data.js';

interface Node extends Omit<ProcessNode, 'parent'> {
  readonly startTimeNs: string | null;
  readonly ppid: number | null;
  /** The rest of its ancestors, nearest first. */
  readonly parents: NonNullable<Process['parents']>;
}

/** Collects processes, and puts them under their parents. */
export class ProcessNodes {
  readonly #nodes = new Map<string, Node>();
  readonly #byPid = new Map<number, Node[]>();
  #leftOut = 0;

  /** `hits` are those of its executable. */
  add(row: Process, hellos: ProcessHellos | undefined, hits: number): void {
    const { pid, startTimeNs, ppid, comm, exe, cmdline, uid } = row;
    this.#put({
      ...{ pid, startTimeNs, ppid, uid },
      comm: shown(comm ?? '?'),
      exe: shownOrNull(exe),
      cmdline: cmdline && shown(cmdline.slice(0, 100).join(' ')),
      flags: flagsOf(row),
      ...helloFacts(hellos),
      hits: (hellos?.hits ?? 0) + hits,
      parents: row.parents ?? [],
    });
  }

  tree(groups: HelloGroups): ProcessTree {
    for (const hellos of groups.all()) {
      if (!this.#nodes.has(processKey(hellos.pid, hellos.startTimeNs))) this.#put(unlisted(hellos));
    }
    for (const node of [...this.#nodes.values()]) this.#putAncestors(node);
    return { nodes: this.#inOrder(), note: this.#note(groups.leftOut) };
  }

  #put(node: Node): void {
    const key = processKey(node.pid, node.startTimeNs);
    if (this.#nodes.has(key)) return;
    if (this.#nodes.size >= MAX_NODES) {
      this.#leftOut += 1;
      return;
    }
    this.#nodes.set(key, node);
    this.#byPid.set(node.pid, [...(this.#byPid.get(node.pid) ?? []), node]);
  }

  /** Ancestors that took no part themselves hold the tree together. */
  #putAncestors({ parents }: Node): void {
    parents.slice(0, MAX_ANCESTORS).forEach(({ pid, startTimeNs, comm, exe }, at) => {
      if (this.#byPid.has(pid)) return;
      const rest = parents.slice(at + 1);
      const names = { comm: shown(comm ?? '?'), exe: shownOrNull(exe), cmdline: null, uid: null };
      const none = { flags: [], ...helloFacts(undefined), hits: 0 };
      this.#put({ pid, startTimeNs, ppid: rest[0]?.pid ?? null, ...names, ...none, parents: rest });
    });
  }

  #parentOf({ pid, ppid, startTimeNs }: Node): Node | undefined {
    if (ppid === null || ppid === pid) return undefined;
    const candidates = this.#byPid.get(ppid) ?? [];
    if (candidates.length <= 1 || startTimeNs === null) return candidates.at(-1);
    // Pids are used again: the parent was there before its child, and is the last of those.
    const older = candidates.filter((one) => BigInt(one.startTimeNs ?? 0) <= BigInt(startTimeNs));
    return older.reduce<Node | undefined>(
      (best, one) => (best && BigInt(best.startTimeNs ?? 0) > BigInt(one.startTimeNs ?? 0) ? best : one),
      undefined,
    );
  }

  /** Parents before children; a circle, which only a forged snapshot has, is opened somewhere. */
  #inOrder(): ProcessNode[] {
    const children = new Map<Node | undefined, Node[]>();
    for (const node of this.#nodes.values()) {
      const parent = this.#parentOf(node);
      children.set(parent, [...(children.get(parent) ?? []), node]);
    }
    const placed = new Map<Node, number>();
    const nodes: ProcessNode[] = [];
    const place = (root: Node): void => {
      const pending: [Node, number][] = [[root, -1]];
      for (let next = pending.pop(); next; next = pending.pop()) {
        const [node, parent] = next;
        if (placed.has(node)) continue;
        placed.set(node, nodes.length);
        nodes.push(published(node, parent));
        const own = placed.get(node) ?? -1;
        for (const child of (children.get(node) ?? []).toReversed()) pending.push([child, own]);
      }
    };
    for (const root of children.get(undefined) ?? []) place(root);
    for (const node of this.#nodes.values()) if (!placed.has(node)) place(node);
    return nodes;
  }

  #note(hellosLeftOut: number): string | null {
    const parts = [
      ...(this.#leftOut > 0 ? [`${count(this.#leftOut)} more processes`] : []),
      ...(hellosLeftOut > 0 ? [`${count(hellosLeftOut)} hellos of further processes`] : []),
    ];
    if (parts.length === 0) return null;
    return `${parts.join(' and ')} are left out of this page; report --format csv --table processes has them all.`;
  }
}

function published(node: Node, parent: number): ProcessNode {
  const { pid, comm, exe, cmdline, uid, flags, client, server, hits, groups, more } = node;
  return { parent, pid, comm, exe, cmdline, uid, flags, client, server, hits, groups, more };
}

/** A process that handshakes name, and the table of processes does not. */
function unlisted(hellos: ProcessHellos): Node {
  const { pid, startTimeNs, ppid, uid, comm, exe, hits } = hellos;
  const names = { comm: shown(comm ?? '?'), exe: shownOrNull(exe), cmdline: null };
  return { pid, startTimeNs, ppid, uid, ...names, flags: ['not listed'], ...helloFacts(hellos), hits, parents: [] };
}

function helloFacts(hellos: ProcessHellos | undefined): Pick<Node, 'client' | 'server' | 'groups' | 'more'> {
  const { client = 0, server = 0, groups, more = 0 } = hellos ?? {};
  return { client, server, groups: [...(groups?.values() ?? [])], more };
}

function flagsOf({ exeDeleted, exeMemfd, exe, sources, container, exited }: Process): string[] {
  return [
    ...(exeMemfd ? ['memory only'] : exeDeleted ? ['deleted'] : []),
    ...(exe !== null && /^\/(?:tmp|var\/tmp|dev\/shm)\//.test(exe) ? ['temporary path'] : []),
    // Who has exited was often too fast to be read.
    ...(sources.includes('proc') || exited !== null ? [] : ['not in /proc']),
    ...(container ? ['container'] : []),
    ...(exited !== null ? ['exited'] : []),
  ];
}

const MAX_NODES = 3000;
const MAX_ANCESTORS = 32;
