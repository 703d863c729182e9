import { FieldReader } from '../procfs/field-errors.js';
import { parseMaps } from '../procfs/maps.js';
import { hidepidOf, type Mount } from '../procfs/mountinfo.js';
import { NO_NAMESPACES, readNamespaces } from '../procfs/namespaces.js';
import type { Procfs } from '../procfs/procfs.js';
import type { Host } from '../snapshot/schema/host.js';
import type { FieldError, Namespaces } from '../snapshot/schema/process.js';

type Self = Host['self'];

/**
 * From where the tool looks at the host: its namespaces, what /proc hides from it, what was loaded into it.
 *
 * @param environment the tool's own
 */
export function ownView(
  procfs: Procfs,
  pid: number,
  environment: readonly string[],
  mounts: readonly Mount[],
  errors: FieldError[],
): Self {
  const namespaces = namespacesOf(procfs, pid, errors) ?? NO_NAMESPACES;
  const first = namespaces.pid === INITIAL.pid ? namespacesOf(procfs, 1, []) : null;
  const initialNamespaces = {
    net: namespaces.net === INITIAL.net ? true : same(namespaces.net, first?.net ?? null),
    mnt: namespaces.mnt === INITIAL.mnt ? true : same(namespaces.mnt, first?.mnt ?? null),
    pid: same(namespaces.pid, INITIAL.pid),
    user: same(namespaces.user, INITIAL.user),
    cgroup: same(namespaces.cgroup, INITIAL.cgroup),
  };
  const hidepid = hidepidOf(mounts, procfs.root);
  return {
    pid,
    environment: [...environment],
    libraries: ownLibraries(procfs, pid, errors),
    namespaces,
    initialNamespaces,
    hidepid,
    notes: notesOn(initialNamespaces, hidepid),
  };
}

/** Of an environment, what can load foreign code into the tool. */
export function loadingEnvironment(environment: Readonly<Record<string, string | undefined>>): string[] {
  return LOADING_VARIABLES.flatMap((name) => {
    const value = environment[name];
    return value === undefined ? [] : [`${name}=${value}`];
  });
}

function notesOn(initial: Self['initialNamespaces'], hidepid: string | null): string[] {
  const notes: string[] = [];
  if (initial.pid === false) {
    notes.push('runs in a pid namespace of its own: processes outside of it are not in /proc, and pids differ');
  }
  if (initial.mnt === false) notes.push("runs in a mount namespace of its own: files and mounts are not the host's");
  if (initial.net === false) notes.push("runs in a network namespace of its own: its sockets are not the host's");
  if (initial.user === false) notes.push('runs in a user namespace of its own: its root is not the root of the host');
  if (initial.cgroup === false) {
    notes.push(
      'runs in a cgroup namespace of its own: cgroup paths are cut at its root, and only what runs at or below it is watched',
    );
  }
  if (hidepid !== null) notes.push(`/proc is mounted with hidepid=${hidepid}: processes of others can be hidden`);
  return notes;
}

function namespacesOf(procfs: Procfs, pid: number, errors: FieldError[]): Namespaces | null {
  try {
    return procfs.using(pid, (directory) => {
      const fields = new FieldReader(() => directory.alive());
      const namespaces = readNamespaces(directory, fields);
      errors.push(...fields.errors);
      return namespaces;
    });
  } catch {
    errors.push({ field: 'self.namespaces', code: 'ESRCH' });
    return null;
  }
}

function ownLibraries(procfs: Procfs, pid: number, errors: FieldError[]): string[] {
  try {
    const files = parseMaps(procfs.read(`${pid}/maps`, MAX_MAPS).bytes);
    return [...new Set(files.filter(({ executable }) => executable).map(({ path }) => path.toString('utf8')))];
  } catch {
    errors.push({ field: 'self.libraries', code: 'ESRCH' });
    return [];
  }
}

function same(one: number | null, other: number | null): boolean | null {
  return one === null || other === null ? null : one === other;
}

/**
 * The inode numbers of the first namespaces (<linux/proc_ns.h>, <linux/nsfs.h>). Those of net and mnt are fixed since
 * 6.18 only; before, they are compared with those of pid 1.
 */
const INITIAL = { user: 0xeffffffd, pid: 0xeffffffc, cgroup: 0xeffffffb, net: 0xeffffff9, mnt: 0xeffffff8 } as const;

const LOADING_VARIABLES = ['LD_PRELOAD', 'LD_AUDIT', 'LD_LIBRARY_PATH', 'NODE_OPTIONS'];
const MAX_MAPS = 16 * 1024 * 1024;
