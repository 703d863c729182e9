import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ExecutionContext } from 'ava';
import { execa } from 'execa';
import { openBpfFileSystem } from './bpf-file-system.js';

// What is in the kernel, as bpftool and /proc tell it.

export interface BpfIds {
  readonly prog: readonly number[];
  readonly link: readonly number[];
  readonly map: readonly number[];
}

/** The ids of the programs, links and maps that a process holds, from the kernel's word on its descriptors. */
export function heldBy(pid: number): BpfIds {
  const ids = { prog: new Set<number>(), link: new Set<number>(), map: new Set<number>() };
  for (const fd of readdirSync(`/proc/${pid}/fdinfo`)) {
    const text = fdInfo(pid, fd);
    for (const [, kind = '', id] of text.matchAll(/^(prog|link|map)_id:\s*(\d+)$/gm))
      ids[kind as keyof BpfIds].add(Number(id));
  }
  return { prog: [...ids.prog], link: [...ids.link], map: [...ids.map] };
}

/** Nothing of a descriptor that was closed since it was listed. */
function fdInfo(pid: number, fd: string): string {
  try {
    return readFileSync(`/proc/${pid}/fdinfo/${fd}`, 'latin1');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
}

/** Those of the ids that the kernel still knows. It frees programs and maps a moment after the last descriptor is closed. */
export async function stillThere(ids: BpfIds, patienceMs = 10_000): Promise<string[]> {
  const deadline = performance.now() + patienceMs;
  for (;;) {
    const left: string[] = [];
    for (const kind of ['prog', 'link', 'map'] as const) {
      const known = new Set(((await bpftool(kind, 'show')) as { id: number }[]).map(({ id }) => id));
      left.push(...ids[kind].filter((id) => known.has(id)).map((id) => `${kind} ${id}`));
    }
    if (left.length === 0 || performance.now() > deadline) return left;
    await sleep(200);
  }
}

/** Paths of all that is pinned in bpffs. */
export async function pinned(): Promise<string[]> {
  const { stdout } = await execa('find', ['/sys/fs/bpf', '-mindepth', '1', '-name', '*tlsnap*']);
  return stdout.split('\n').filter((line) => line !== '');
}

/** Names of the programs attached to a cgroup, sorted. */
export async function attachedTo(cgroup: string): Promise<string[]> {
  return ((await bpftool('cgroup', 'show', cgroup)) as { name: string }[]).map(({ name }) => name).sort();
}

/** Attaches somebody else's program to the cgroup's egress; it leaves with the cgroup. Returns how to read its count. */
export async function attachOther(
  t: ExecutionContext,
  directory: string,
  cgroup: string,
): Promise<() => Promise<number>> {
  const object = join(directory, 'other.bpf.o');
  await compileBpf('other.bpf.c', object);
  const pin = join(await openBpfFileSystem(t), 'other');
  await execa('bpftool', ['prog', 'load', object, pin]);
  await execa('bpftool', ['cgroup', 'attach', cgroup, 'cgroup_inet_egress', 'pinned', pin, 'multi']);
  const { map_ids: maps = [] } = (await bpftool('prog', 'show', 'pinned', pin)) as { map_ids?: number[] };
  return async () => {
    const [entry] = (await bpftool('map', 'dump', 'id', String(maps[0]))) as { formatted?: { value: number } }[];
    return entry?.formatted?.value ?? Number.NaN;
  };
}

/** A TCP socket: its ports, and whether the programs keep something for it. */
export interface SocketState {
  readonly kept: boolean;
  readonly local: number;
  readonly remote: number;
}

/** What the programs that process `holder` holds keep for the sockets of other processes, by the kernel's word. */
export async function keptSockets(holder: number): Promise<(pids: readonly number[]) => Promise<SocketState[]>> {
  const maps = (await bpftool('map', 'show')) as { id: number; type: string }[];
  const held = new Set(heldBy(holder).map);
  const storage = maps.find(({ id, type }) => type === 'sk_storage' && held.has(id));
  if (!storage) throw new Error(`process ${holder} holds no map of socket storage`);
  const script = join(import.meta.dirname, 'actors', 'kept_sockets.py');
  return async (pids) => {
    const { stdout } = await execa('python3', [script, String(storage.id), ...new Set(pids.map(String))]);
    return stdout
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => line.split(' '))
      .map(([state, local, remote]) => ({ kept: state === 'kept', local: Number(local), remote: Number(remote) }));
  };
}

async function compileBpf(source: string, object: string): Promise<void> {
  const { stdout: multiarch } = await execa('gcc', ['-print-multiarch']);
  const path = join(import.meta.dirname, 'actors', source);
  await execa('clang', ['-target', 'bpf', '-O2', '-g', `-I/usr/include/${multiarch}`, '-c', path, '-o', object]);
}

async function bpftool(...args: string[]): Promise<unknown> {
  const { stdout } = await execa('bpftool', ['--json', ...args]);
  // It says nothing at all of a cgroup without programs.
  return stdout === '' ? [] : JSON.parse(stdout);
}
