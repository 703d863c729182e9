import type { OpenSocket } from '../snapshot/schema/process.js';
import type { FieldReader } from './field-errors.js';
import type { ProcessDirectory } from './procfs.js';

/** The sockets a process holds open, by file descriptor. One that is closed meanwhile is left out. */
export function readSockets(directory: ProcessDirectory, fields?: FieldReader): OpenSocket[] {
  const { numbers: descriptors, truncated } = directory.numbers('fd', MAX_DESCRIPTORS);
  if (truncated) fields?.note('sockets', 'TRUNCATED');
  const sockets: OpenSocket[] = [];
  for (const fd of descriptors) {
    const inode = socketInode(directory, fd);
    if (inode !== null) sockets.push({ fd, inode });
  }
  return sockets;
}

function socketInode(directory: ProcessDirectory, fd: number): string | null {
  try {
    return /^socket:\[(\d{1,20})\]$/.exec(directory.link(`fd/${fd}`).toString('latin1'))?.[1] ?? null;
  } catch {
    return null;
  }
}

/** The default of fs.nr_open. */
const MAX_DESCRIPTORS = 1_048_576;
