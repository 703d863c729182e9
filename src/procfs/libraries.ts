import { closeSync, fstatSync } from 'node:fs';
import type { TlsLibrary, UnusualLibrary } from '../snapshot/schema/process.js';
import { buildIdOf, openQuietly } from './executable.js';
import type { MappedFile } from './maps.js';
import type { ProcessDirectory } from './procfs.js';
import { textFields } from './text.js';
import { tlsLibraryOf, unusualReason } from './tls-libraries.js';

export interface MappedLibraries {
  tlsLibraries: TlsLibrary[];
  unusualLibraries: UnusualLibrary[];
}

/**
 * Picks the files worth a row out of all that is mapped.
 *
 * @param buildId looks into the file; touches its file system
 */
export function mappedLibraries(
  files: readonly MappedFile[],
  exe: string | null,
  buildId: (file: MappedFile) => string | null,
): MappedLibraries {
  const found: MappedLibraries = { tlsLibraries: [], unusualLibraries: [] };
  for (const file of files) {
    const library = tlsLibraryOf(file.path.toString('utf8'));
    const reason = unusualReason(file, exe);
    if (library === null && reason === null) continue;
    if (found.tlsLibraries.length + found.unusualLibraries.length >= MAX_LIBRARIES) break;
    const { deleted, device, inode } = file;
    const row = { ...textFields('path', file.path), deleted, device, inode, buildId: buildId(file) };
    if (library !== null) found.tlsLibraries.push({ ...row, library });
    if (reason !== null) found.unusualLibraries.push({ ...row, reason });
  }
  return found;
}

/**
 * The build id of a mapped file: by map_files, which leads to the very inode even if it is deleted or over-mounted, or
 * else by its name below the process's root, if that is still the same inode.
 */
export function buildIdOfMapped(directory: ProcessDirectory, file: MappedFile): string | null {
  const names = [directory.at(`map_files/${file.range}`)];
  if (!file.deleted) names.push(`${directory.at('root')}${file.path.toString('utf8')}`);
  for (const name of names) {
    try {
      const fd = openQuietly(name);
      try {
        const stat = fstatSync(fd, { bigint: true });
        if (stat.isFile() && String(stat.ino) === file.inode) return buildIdOf(fd);
      } finally {
        closeSync(fd);
      }
    } catch {
      // Not allowed (map_files needs CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE) or not there: the next way, or none.
    }
  }
  return null;
}

/** JIT runtimes map thousands of files; so many libraries of TLS nobody has. */
const MAX_LIBRARIES = 256;
