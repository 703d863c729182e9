import { randomBytes } from 'node:crypto';
import {
  accessSync,
  closeSync,
  constants,
  fsyncSync,
  linkSync,
  lstatSync,
  openSync,
  renameSync,
  unlinkSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { PassThrough, type Writable } from 'node:stream';
import { ioError } from '../errors.js';
import { halfMade, removeHalfMade, whole } from '../half-made.js';
import { DurableFile } from './durable-file.js';

/** Where a file of evidence goes: under another name until it is whole, and never over an existing file. */
export interface Output {
  readonly path: string;
  readonly isStdout: boolean;
  /** Opens it for writing, mode 0600. */
  open(): Writable;
  /** Gives what was written its name, durably. */
  commit(): void;
  /** Removes what was written. */
  abandon(): void;
}

/** An output at `path`, or stdout for `-`. Fails at once where the file exists or its folder cannot be written. */
export function createOutput(path: string): Output {
  if (path === '-') return stdoutOutput();
  try {
    if (Buffer.byteLength(basename(path)) > MAX_NAME) throw Object.assign(new Error(), { code: 'ENAMETOOLONG' });
    if (lstatSync(path, { throwIfNoEntry: false })) throw Object.assign(new Error(), { code: 'EEXIST' });
    accessSync(dirname(path), constants.W_OK | constants.X_OK);
  } catch (error) {
    throw ioError(path, error);
  }
  return fileOutput(path);
}

function fileOutput(path: string): Output {
  const partial = join(dirname(path), `.tlsnap-${randomBytes(8).toString('hex')}.partial`);
  return {
    path,
    isStdout: false,
    open: () => {
      halfMade(partial);
      return new DurableFile(partial);
    },
    commit: () => {
      try {
        moveWithoutReplacing(partial, path);
        whole(partial);
        syncFolder(dirname(path));
      } catch (error) {
        throw ioError(path, error);
      }
    },
    abandon: () => removeHalfMade(partial),
  };
}

/** link(2) refuses an existing name, which rename(2) does not. FAT has no links: there the name is reserved first. */
function moveWithoutReplacing(from: string, to: string): void {
  try {
    linkSync(from, to);
    unlinkSync(from);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? '';
    if (!['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'].includes(code)) throw error;
    closeSync(openSync(to, 'wx', 0o600));
    try {
      renameSync(from, to);
    } catch (failure) {
      // What is there is the reserved name and nothing else.
      unlinkSync(to);
      throw failure;
    }
  }
}

/** Makes the names in a folder durable, where its file system knows of that. Throws what Node's fs throws. */
export function syncFolder(path: string): void {
  // A folder cannot be opened on Windows, and need not be.
  if (process.platform === 'win32') return;
  const fd = openSync(path === '' ? '.' : path, 'r');
  try {
    fsyncSync(fd);
  } catch (error) {
    // fsync(2): what is said of an object that cannot be synchronised.
    if ((error as NodeJS.ErrnoException).code !== 'EINVAL') throw error;
  } finally {
    closeSync(fd);
  }
}

function stdoutOutput(): Output {
  return {
    path: '-',
    isStdout: true,
    open: () => {
      // pipeline() would close stdout, and then nothing could be said any more.
      const through = new PassThrough();
      through.pipe(process.stdout, { end: false });
      process.stdout.once('error', (error: Error) => through.destroy(error));
      return through;
    },
    commit: () => undefined,
    abandon: () => undefined,
  };
}

/** NAME_MAX, less what is written beside a snapshot while it is made: `.members`, `.spool`. */
const MAX_NAME = 255 - '.members'.length;
