import type { Namespaces } from '../snapshot/schema/process.js';
import { ReadFault, type FieldReader } from './field-errors.js';
import type { ProcessDirectory } from './procfs.js';

/** The inode numbers of a process's namespaces; a kind that the kernel does not have is null without an error. */
export function readNamespaces(directory: ProcessDirectory, fields: FieldReader): Namespaces {
  const inode = (name: keyof Namespaces): number | null =>
    fields.optional(`namespaces.${name}`, () => namespaceInode(directory.link(`ns/${name}`)));
  return {
    net: inode('net'),
    pid: inode('pid'),
    mnt: inode('mnt'),
    user: inode('user'),
    uts: inode('uts'),
    ipc: inode('ipc'),
    cgroup: inode('cgroup'),
    time: inode('time'),
  };
}

/** `net:[4026531840]` (namespaces(7)). @throws MALFORMED */
export function namespaceInode(link: Buffer): number {
  const inode = Number(/^[a-z_]+:\[(\d{1,10})\]$/.exec(link.toString('latin1'))?.[1] ?? NaN);
  if (!Number.isInteger(inode) || inode > 0xffff_ffff) throw new ReadFault('MALFORMED');
  return inode;
}

/** Of which nothing is known. */
export const NO_NAMESPACES: Namespaces = {
  net: null,
  pid: null,
  mnt: null,
  user: null,
  uts: null,
  ipc: null,
  cgroup: null,
  time: null,
};
