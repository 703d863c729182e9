import { lstatSync, mkdirSync, readdirSync, rmdirSync, statfsSync, unlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ioError, TlsnapError } from '../errors.js';

/** Makes the folder of the pins, mode 0700. It is what keeps a second recorder from starting. */
export function makePins(directory: string): void {
  assertNoPins(directory);
  try {
    mkdirSync(directory, { mode: 0o700 });
  } catch (error) {
    throw pinsError(directory, error);
  }
}

/** @throws TlsnapError where a recorder is there already, or none can be */
export function assertNoPins(directory: string): void {
  assertBpfFileSystem(directory);
  if (!hasPins(directory)) return;
  throw new TlsnapError('usage', directory, 'a recorder runs already, or one was left half made', [
    'Look at it with: tlsnap record status',
    'End it with: tlsnap record stop',
  ]);
}

/** @throws TlsnapError where there is no recorder, or one that another user could have made or changed */
export function assertPins(directory: string): void {
  assertBpfFileSystem(directory);
  if (!hasPins(directory)) {
    throw new TlsnapError('unavailable', directory, 'no recorder runs', ['Start one with: tlsnap record start']);
  }
}

/** Whether there is a recorder of ours. Where there is no BPF file system, there is none. */
export function hasPins(directory: string): boolean {
  try {
    assertOurs(directory);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}

/** Takes off the links first, and with them the programs; what is recorded is gone then. */
export function removePins(directory: string): void {
  try {
    const names = readdirSync(directory).sort((a, b) => Number(isLink(b)) - Number(isLink(a)));
    for (const name of names) if (PIN_NAME.test(name)) unlinkSync(join(directory, name));
    rmdirSync(directory);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOTEMPTY') throw foreignPins(directory, error);
    throw pinsError(directory, error);
  }
}

function isLink(name: string): boolean {
  return name.startsWith('link_');
}

/** Nobody but its owner may have put anything there: what is in the pins is believed. */
function assertOurs(directory: string): void {
  let found: ReturnType<typeof lstatSync>;
  try {
    found = lstatSync(directory);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') throw error;
    throw pinsError(directory, error);
  }
  const { uid, mode } = found;
  if (!found.isDirectory()) {
    throw new TlsnapError('input', directory, 'is not a folder, and so not a recorder', [
      'Remove it, or name another.',
    ]);
  }
  if (uid === process.geteuid?.() && (mode & 0o077) === 0) return;
  throw new TlsnapError('permission', directory, `belongs to user ${uid}, mode ${(mode & 0o7777).toString(8)}`, [
    uid === 0 && process.geteuid?.() !== 0
      ? 'Run it as root.'
      : 'Remove it as its owner: a recorder is a folder of the user who started it, mode 0700.',
  ]);
}

function assertBpfFileSystem(directory: string): void {
  const parent = dirname(directory);
  try {
    if (statfsSync(parent).type === BPF_FS_MAGIC) return;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw pinsError(directory, error);
  }
  throw new TlsnapError('unavailable', parent, 'is not a BPF file system, in which alone a recorder can be pinned', [
    `Mount it with: mount -t bpf bpf ${parent}`,
  ]);
}

/** The recorder is gone by then. */
function foreignPins(directory: string, cause: unknown): TlsnapError {
  const others = readdirSync(directory).join(', ');
  return new TlsnapError(
    'io',
    directory,
    `nothing is recorded any more, but the folder holds what is not a recorder's: ${others}`,
    ['Look at it, and remove the folder.'],
    cause,
  );
}

function pinsError(directory: string, error: unknown): unknown {
  const { code } = error as NodeJS.ErrnoException;
  if (code !== 'EACCES' && code !== 'EPERM') return ioError(directory, error);
  return new TlsnapError('permission', directory, `may not be used by this user (${code})`, ['Run it as root.'], error);
}

/** include/uapi/linux/magic.h: BPF_FS_MAGIC. */
const BPF_FS_MAGIC = 0xcafe4a11;
const PIN_NAME = /^(?:map|program|link)_/;
