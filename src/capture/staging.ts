import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { ioError, TlsnapError } from '../errors.js';
import { halfMade, removeHalfMade } from '../half-made.js';

/**
 * Where to put a spool's members while it is recovered: beside the output, because the spool may lie on a disk that is full, or
 * that may only be read. Undefined for stdout: of what goes there nothing is to lie anywhere but where the spool does.
 */
export function stagingBeside(output: string): string | undefined {
  return output === '-' ? undefined : `${output}.members`;
}

/** Makes the folder, mode 0700: the one that is named, which must not exist, or one in the spool, anew. */
export function makeStaging({ spool, staging }: { spool: string; staging?: string | undefined }): string {
  const folder = staging ?? join(spool, 'members');
  try {
    if (staging === undefined) removeStaging(folder);
    mkdirSync(folder, { mode: 0o700 });
    halfMade(folder);
    return folder;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw ioError(folder, error);
    throw new TlsnapError('io', folder, 'exists already: it may be left from a recovery that was killed', [
      'Remove it, if so: the spool still has all that is in it.',
    ]);
  }
}

/** What lies there is only a copy of what is in the spool. */
export function removeStaging(folder: string): void {
  removeHalfMade(folder);
}
