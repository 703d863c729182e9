import type { BpfObjects, BpfOwner } from '../snapshot/schema/host.js';
import type { ProcessDirectory } from './procfs.js';

/** Which processes hold which BPF programs and links open. What is only pinned, or only attached, nobody holds. */
export interface BpfHolders {
  /** By the program's or link's id. */
  readonly programs: Map<number, BpfOwner[]>;
  readonly links: Map<number, BpfOwner[]>;
}

export function noHolders(): BpfHolders {
  return { programs: new Map(), links: new Map() };
}

/** Takes a descriptor of a process, if it is one of BPF. Its particulars cannot hang: they come from no file system. */
export function takeDescriptor(
  holders: BpfHolders,
  directory: ProcessDirectory,
  { fd, target }: { fd: number; target: string },
  comm: string | null,
): void {
  // The kernel's names for them: fs/anon_inodes.c writes them behind "anon_inode:".
  const kind = target === 'anon_inode:bpf-prog' ? 'prog' : target === 'anon_inode:bpf_link' ? 'link' : null;
  if (kind === null) return;
  const id = idOf(directory, fd, kind);
  if (id === null) return;
  const known = kind === 'prog' ? holders.programs : holders.links;
  const owners = known.get(id);
  if (!owners) known.set(id, [{ pid: directory.pid, comm }]);
  else if (owners.length < MAX_OWNERS && owners.at(-1)?.pid !== directory.pid)
    owners.push({ pid: directory.pid, comm });
}

/** The objects with their owners. */
export function withOwners(objects: BpfObjects | null, { programs, links }: BpfHolders): BpfObjects | null {
  return (
    objects && {
      ...objects,
      programs: objects.programs.map((program) => ({ ...program, owners: programs.get(program.id) ?? [] })),
      links: objects.links.map((link) => ({ ...link, owners: links.get(link.id) ?? [] })),
    }
  );
}

function idOf(directory: ProcessDirectory, fd: number, kind: 'prog' | 'link'): number | null {
  try {
    const text = directory.read(`fdinfo/${fd}`, MAX_FDINFO).bytes.toString('latin1');
    const id = (kind === 'prog' ? /^prog_id:\t(\d{1,10})$/m : /^link_id:\t(\d{1,10})$/m).exec(text)?.[1];
    return id === undefined ? null : Number(id);
  } catch {
    // Closed, or not ours to read.
    return null;
  }
}

const MAX_FDINFO = 4096;
const MAX_OWNERS = 64;
