import { chmod, chown, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { ExecutionContext } from 'ava';
import { execa } from 'execa';
import { bundleFolder } from '../../scripts/bundle/folder.js';

// Hosts for the bundle that give it nothing: see bare-host.sh.

export const PROJECT = resolve(import.meta.dirname, '../..');
export const COMMANDS = ['unshare', 'ip', 'capsh'] as const;
/** Where the bundle is there. */
export const TLSNAP = '/usb stick/tlsnap';
export const NODE = '/usb stick/runtime/node';

export type Rights = 'root' | 'three capabilities';

export interface BareHost {
  readonly root: string;
  /** The folder that is /mnt there, the only one that can be written to. */
  readonly output: string;
  /** A command line that starts there, as root of it, the command that follows. */
  readonly within: readonly string[];
  /** The same with these rights alone, in this process's network namespace. */
  command(rights: Rights, program: string, ...args: readonly string[]): readonly string[];
}

/** @param root a folder with a system, or an empty one, which is all that there will be */
export async function bareHost(t: ExecutionContext, root?: string): Promise<BareHost> {
  const [place, output] = [root ?? (await temporaryDirectory(t)), await temporaryDirectory(t)];
  // Whoever is not root must be able to enter the one and to write to the other.
  await chmod(place, 0o755);
  await chown(output, USER, USER);
  const script = ['sh', join(import.meta.dirname, 'bare-host.sh'), place, await bundleFolder(PROJECT), output];
  return {
    root: place,
    output,
    within: ['unshare', '--mount', '--net', ...script, '/usr/sbin/chroot', place],
    command: (rights, program, ...args) =>
      rights === 'root'
        ? ['unshare', '--mount', ...script, '/usr/sbin/chroot', place, program, ...args]
        : ['unshare', '--mount', ...script, ...capsh(place), `--shell=${program}`, '--', ...args],
  };
}

export function inside({ within: [command = '', ...rest] }: BareHost, ...words: readonly string[]) {
  return execa(command, [...rest, ...words], { reject: false, all: true });
}

export async function temporaryDirectory(t: ExecutionContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'tlsnap-bundle-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

/** A library that says so when it is loaded. */
export async function markedLibrary(t: ExecutionContext): Promise<string> {
  const directory = await temporaryDirectory(t);
  const source =
    '#include <unistd.h>\n__attribute__((constructor)) static void say(void) { write(1, "PRELOADED", 9); }\n';
  const library = join(directory, 'preloaded.so');
  await execa('cc', ['-shared', '-fPIC', '-w', '-x', 'c', '-', '-o', library], { input: source });
  return library;
}

/** Somebody without a name, who has what a capture needs and nothing else. */
function capsh(root: string): readonly string[] {
  const user = [`--gid=${USER}`, `--groups=${USER}`, `--uid=${USER}`];
  return [
    '/usr/sbin/capsh',
    '--quiet',
    `--chroot=${root}`,
    '--keep=1',
    ...user,
    `--caps=${NEEDED}=eip`,
    `--addamb=${NEEDED}`,
  ];
}

const NEEDED = 'cap_bpf,cap_net_admin,cap_perfmon';
const USER = 54321;
