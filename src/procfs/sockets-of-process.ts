import type { OpenSocket } from '../snapshot/schema/process.js';
import type { FieldReader } from './field-errors.js';
import type { ProcessDirectory } from './procfs.js';

/** The sockets a process holds open, by file descriptor. One that is closed meanwhile is left out. */
export function readSockets(directory: ProcessDirectory, fields?: FieldReader): OpenSocket[] {
  const sockets: OpenSocket[] = [];
  for (const { fd, target } of openDescriptors(directory, fields)) {
    const inode = socketInode(target);
    if (inode !== null) sockets.push({ fd, inode });
  }
  return sockets;
}

/** What each file descriptor of a process leads to, by the text of its link; one that is closed meanwhile is left out. */
export function* openDescriptors(
  directory: ProcessDirectory,
  fields?: FieldReader,
): Generator<{ fd: number; target: string }> {
  const { numbers: descriptors, truncated } = directory.numbers('fd', MAX_DESCRIPTORS);
  if (truncated) fields?.note('sockets', 'TRUNCATED');
  for (const fd of descriptors) {
    try {
      yield { fd, target: directory.link(`fd/${fd}`).toString('latin1') };
    } catch {
      // Closed.
    }
  }
}

/** Of a descriptor's link; null where it leads to no socket. */
export function socketInode(target: string): string | null {
  return /^socket:\[(\d{1,20})\]$/.exec(target)?.[1] ?? null;
}

/** The default of fs.nr_open. */
const MAX_DESCRIPTORS = 1_048_576;
