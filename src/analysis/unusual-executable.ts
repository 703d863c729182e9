import type { Confidence } from '../intel/confidence.js';
import type { Process } from '../snapshot/schema/process.js';

/** Why an executable is out of the ordinary, and how much that says once it talks TLS. */
export interface UnusualExecutable {
  readonly what: string;
  readonly confidence: Confidence;
  readonly why: readonly string[];
}

/** Null for an ordinary executable, and for one of which nothing is known. */
export function unusualExecutable({
  exe,
  exeDeleted,
  exeMemfd,
}: Pick<Process, 'exe' | 'exeDeleted' | 'exeMemfd'>): UnusualExecutable | null {
  if (exe === null) return null;
  if (exeMemfd || exe.startsWith('/memfd:')) {
    return RUNC.test(exe)
      ? { what: 'runs from memory', confidence: 'low', why: ['runc copies itself into a memfd of this name'] }
      : { what: 'runs from memory', confidence: 'high', why: ['it was never a file on disk (memfd_create)'] };
  }
  const directory = worldWritable(exe);
  if (directory !== null) {
    const what = exeDeleted
      ? `was started from ${directory} and deleted`
      : `lies in ${directory}, where everybody may write`;
    const why = [`packages install nothing in ${directory}`];
    return exeDeleted
      ? { what, confidence: 'high', why: ['its file was removed while it ran', ...why] }
      : { what, confidence: 'medium', why };
  }
  if (!exeDeleted) return null;
  return SYSTEM.test(exe)
    ? { what: 'was deleted', confidence: 'low', why: ['a package upgrade, too, leaves a program without its file'] }
    : { what: 'was deleted', confidence: 'medium', why: ['its file was removed while it ran'] };
}

/** The directory of these that the path is in, or null. Their permissions are not in the snapshot: it goes by name. */
export function worldWritable(path: string): string | null {
  return WORLD_WRITABLE.find((directory) => path.startsWith(`${directory}/`)) ?? null;
}

const RUNC = /^\/memfd:runc(?:_cloned|:)/;
const SYSTEM = /^\/(?:usr|bin|sbin|lib\w*|opt|snap)\//;
const WORLD_WRITABLE = [
  '/tmp',
  '/var/tmp',
  '/dev/shm',
  '/dev/mqueue',
  '/run/shm',
  '/run/lock',
  '/var/lock',
  '/var/crash',
];
