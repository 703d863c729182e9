import { closeSync, constants, openSync, readSync } from 'node:fs';
import { StringDecoder } from 'node:string_decoder';
import type { Socket, SocketOwner } from '../snapshot/schema/socket.js';
import { noHolders, takeDescriptor, type BpfHolders } from './bpf-holders.js';
import { errorCode } from './field-errors.js';
import { hidepidOf, parseMountinfo } from './mountinfo.js';
import { namespaceInode } from './namespaces.js';
import { briefly } from './parents.js';
import type { Procfs } from './procfs.js';
import { parseSocketLine } from './socket-table.js';
import { openDescriptors, socketInode } from './sockets-of-process.js';

export interface SweepLimits {
  maxSockets: number;
  /** Both passes together; what is left then is said in `truncated`. */
  maxMs: number;
}

/** What a sweep saw and what it could not see. */
export interface SocketSweep {
  sockets: number;
  /** Network namespaces whose tables were read. */
  netns: number[];
  /** Network namespaces that are mounted somewhere but in which no process runs: their sockets are not listed. */
  netnsWithoutProcess: number[];
  processes: number;
  /** Found on the way. */
  bpf: BpfHolders;
  /** Processes whose descriptors could not be read (permission): their sockets have no owner. */
  processesUnreadable: number;
  /** The hidepid option of the mount, where processes of others are hidden by it. */
  hidepid: string | null;
  truncated: boolean;
  /** Sockets of which not all owners are listed. */
  ownersTruncated: number;
  errors: { netns: number; table: string; code: string }[];
}

/**
 * Every TCP and UDP socket of every network namespace that has a process, with the processes that hold it open. One
 * pass over all processes for owners and namespaces, then one table after the other; rows are handed on in batches, so
 * that 200,000 sockets need no list of their own.
 */
export function sweepSockets(
  procfs: Procfs,
  when: Socket['when'],
  limits: SweepLimits,
  emit: (rows: Socket[]) => void,
): SocketSweep {
  const deadline = Date.now() + limits.maxMs;
  const { owners, readers, ...pass } = sweepProcesses(procfs, deadline);
  const { hidepid, mounted } = readMounts(procfs);
  const sweep: SocketSweep = {
    sockets: 0,
    netns: [...readers.keys()],
    netnsWithoutProcess: mounted.filter((netns) => !readers.has(netns)),
    ...pass,
    hidepid,
    ownersTruncated: 0,
    errors: [],
  };
  let batch: Socket[] = [];
  let batchBytes = 0;
  for (const [netns, pids] of readers) {
    for (const { table, proto, family } of TABLES) {
      const code = readTable(procfs, pids, table, (line) => {
        if (sweep.sockets >= limits.maxSockets || Date.now() > deadline) {
          sweep.truncated = true;
          return false;
        }
        const entry = parseSocketLine(line);
        if (!entry) return true;
        const holders = (entry.inode !== null && owners.get(entry.inode)) || NOBODY;
        batch.push({ when, netns, proto, family, ...entry, owners: holders.rows });
        batchBytes += holders.bytes;
        sweep.sockets++;
        if (holders.truncated) sweep.ownersTruncated++;
        if (batch.length >= BATCH || batchBytes >= BATCH_BYTES) {
          emit(batch);
          batch = [];
          batchBytes = 0;
        }
        return true;
      });
      if (code !== null) sweep.errors.push({ netns, table, code });
    }
  }
  if (batch.length > 0) emit(batch);
  return sweep;
}

/** Who holds one socket. */
interface Holders {
  readonly rows: SocketOwner[];
  /** As JSON. */
  bytes: number;
  truncated: boolean;
}

interface ProcessPass {
  /** By socket inode. */
  owners: Map<string, Holders>;
  /** By network namespace, a few processes through which its tables can be read. */
  readers: Map<number, number[]>;
  bpf: BpfHolders;
  processes: number;
  processesUnreadable: number;
  truncated: boolean;
}

function sweepProcesses(procfs: Procfs, deadline: number): ProcessPass {
  const { pids, truncated } = procfs.pids();
  const pass: ProcessPass = {
    owners: new Map(),
    readers: new Map(),
    bpf: noHolders(),
    processes: 0,
    processesUnreadable: 0,
    truncated,
  };
  for (const pid of pids) {
    if (Date.now() > deadline) {
      pass.truncated = true;
      break;
    }
    try {
      procfs.using(pid, (directory) => {
        pass.processes++;
        const netns = namespaceInode(directory.link('ns/net'));
        const readers = pass.readers.get(netns);
        if (!readers) pass.readers.set(netns, [pid]);
        else if (readers.length < READERS_PER_NETNS) readers.push(pid);

        const inodes = new Set<string>();
        const objects: { fd: number; target: string }[] = [];
        for (const descriptor of openDescriptors(directory)) {
          const inode = socketInode(descriptor.target);
          if (inode !== null) inodes.add(inode);
          else if (descriptor.target.startsWith('anon_inode:bpf')) objects.push(descriptor);
        }
        if (inodes.size === 0 && objects.length === 0) return;
        const { row } = briefly(procfs, directory);
        for (const descriptor of objects) takeDescriptor(pass.bpf, directory, descriptor, row.comm);
        const bytes = Buffer.byteLength(JSON.stringify(row));
        for (const inode of inodes) {
          const holders = pass.owners.get(inode);
          if (!holders) pass.owners.set(inode, { rows: [row], bytes, truncated: false });
          else addOwner(holders, row, bytes);
        }
      });
    } catch (error) {
      if (errorCode(error) === 'EACCES' || errorCode(error) === 'EPERM') pass.processesUnreadable++;
      // Else it is gone; that is no loss.
    }
  }
  return pass;
}

function addOwner(holders: Holders, row: SocketOwner, bytes: number): void {
  if (holders.rows.length >= OWNERS_PER_SOCKET || holders.bytes + bytes > OWNERS_BYTES) {
    holders.truncated = true;
    return;
  }
  holders.rows.push(row);
  holders.bytes += bytes;
}

/** Through the first of the processes that still lives. Null, or why no table could be read. */
function readTable(
  procfs: Procfs,
  pids: readonly number[],
  table: string,
  each: (line: string) => boolean,
): string | null {
  let code = 'ESRCH';
  for (const pid of pids) {
    try {
      procfs.using(pid, (directory) => {
        eachLine(directory.at(`net/${table}`), each);
      });
      return null;
    } catch (error) {
      code = errorCode(error);
      // A kernel without IPv6 has no such table.
      if (code === 'ENOENT' && table.endsWith('6')) return null;
    }
  }
  return code;
}

/** The tables have no bound, so they are read in pieces. `each` returns false to stop. */
function eachLine(path: string, each: (line: string) => boolean): void {
  const fd = openSync(path, constants.O_RDONLY);
  try {
    const decoder = new StringDecoder('latin1');
    const buffer = Buffer.allocUnsafe(CHUNK);
    let rest = '';
    for (let count = readSync(fd, buffer); count > 0; count = readSync(fd, buffer)) {
      const lines = (rest + decoder.write(buffer.subarray(0, count))).split('\n');
      rest = lines.pop() ?? '';
      if (rest.length > CHUNK) throw Object.assign(new Error(`${path}: no line ends`), { code: 'MALFORMED' });
      for (const line of lines) if (!each(line)) return;
    }
  } finally {
    closeSync(fd);
  }
}

function readMounts(procfs: Procfs): { hidepid: string | null; mounted: number[] } {
  try {
    const mounts = parseMountinfo(procfs.read('self/mountinfo', MAX_MOUNTINFO).bytes.toString('utf8'));
    const mounted = mounts
      .filter(({ type }) => type === 'nsfs')
      .map(({ root }) => Number(/^net:\[(\d{1,10})\]$/.exec(root)?.[1] ?? 0));
    return { hidepid: hidepidOf(mounts, procfs.root), mounted: [...new Set(mounted.filter((netns) => netns > 0))] };
  } catch {
    return { hidepid: null, mounted: [] };
  }
}

const TABLES = [
  { table: 'tcp', proto: 'tcp', family: 4 },
  { table: 'tcp6', proto: 'tcp', family: 6 },
  { table: 'udp', proto: 'udp', family: 4 },
  { table: 'udp6', proto: 'udp', family: 6 },
] as const;

const NOBODY: Holders = { rows: [], bytes: 0, truncated: false };
const BATCH = 1000;
/** Of owners, which are most of a row that is long. */
const BATCH_BYTES = 4 * 1024 * 1024;
const CHUNK = 65536;
const READERS_PER_NETNS = 8;
/** Pre-forked servers share a listener among hundreds of workers; more are not needed to find them. */
const OWNERS_PER_SOCKET = 4096;
/** Four thousand of some 120 bytes; names and paths that are made long can have 25,000. */
const OWNERS_BYTES = 512 * 1024;
const MAX_MOUNTINFO = 4 * 1024 * 1024;
