import { readdirSync, statSync, statfsSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { TlsnapError } from '../errors.js';
import type { CgroupDirectory } from '../native/inventory.js';
import { requireLinux } from '../native/addon.js';
import { parseMountinfo } from '../procfs/mountinfo.js';
import { Procfs } from '../procfs/procfs.js';

/** Where the capture attaches. */
export interface WatchedCgroup {
  /** Directory to attach to; empty for the hierarchy's root through a private mount, where no mount shows it. */
  readonly directory: string;
  /** Mount point of the hierarchy; null where none shows its root. */
  readonly mount: string | null;
  /** Path below the root; `/` for the whole host. */
  readonly path: string;
}

/**
 * Finds the cgroup to watch: `asked`, an absolute directory or a path below the hierarchy's root, or else the root. On a
 * hybrid host cgroup2 is mounted at /sys/fs/cgroup/unified; where it is not mounted at all, the addon mounts it unseen.
 */
export function findCgroup(asked: string | undefined, procfs = new Procfs()): WatchedCgroup {
  requireLinux();
  const mount = cgroup2Mount(procfs);
  if (asked === undefined) return { directory: mount ?? '', mount, path: '/' };
  const directory = mount === null || isCgroup2(asked) ? asked : join(mount, asked);
  if (!isCgroup2(directory)) {
    throw new TlsnapError('usage', '--cgroup', `${asked} is not a cgroup2 directory`, [
      `Name a directory below ${mount ?? 'a cgroup2 mount'}.`,
    ]);
  }
  const absolute = resolve(directory);
  return { directory: absolute, mount, path: mount === null ? absolute : `/${relative(mount, absolute)}` };
}

/** Paths of the cgroups below the mount, by id; the id is the directory's inode. At most `limit` of them. */
export function cgroupPaths(mount: string, limit = MAX_CGROUPS): Record<string, string> {
  const paths: Record<string, string> = {};
  const waiting = ['/'];
  for (let found = 0; waiting.length > 0 && found < limit; found++) {
    const path = waiting.pop() ?? '/';
    const directory = join(mount, path);
    try {
      paths[String(statSync(directory, { bigint: true }).ino)] = path;
      for (const entry of readdirSync(directory, { withFileTypes: true })) {
        if (entry.isDirectory()) waiting.push(join(path, entry.name));
      }
    } catch {
      // Gone meanwhile: cgroups come and go with what runs in them.
    }
  }
  return paths;
}

/** The cgroups whose hooks see what a watched one's do: it, those above and those below. */
export function relatedCgroups({ mount, path }: Pick<WatchedCgroup, 'mount' | 'path'>): CgroupDirectory[] {
  if (mount === null) return [];
  const isAbove = (above: string, below: string): boolean =>
    above === below || below.startsWith(above === '/' ? above : `${above}/`);
  return Object.entries(cgroupPaths(mount))
    .filter(([, found]) => isAbove(found, path) || isAbove(path, found))
    .map(([id, found]) => ({ id, path: found, directory: join(mount, found) }));
}

function cgroup2Mount(procfs: Procfs): string | null {
  const { bytes } = procfs.read('self/mountinfo', MAX_MOUNTINFO);
  const mounts = parseMountinfo(bytes.toString('utf8')).filter(({ type, root }) => type === 'cgroup2' && root === '/');
  return mounts.map(({ mountPoint }) => mountPoint).find(isCgroup2) ?? null;
}

function isCgroup2(directory: string): boolean {
  try {
    return statfsSync(directory).type === CGROUP2_MAGIC && statSync(directory).isDirectory();
  } catch {
    return false;
  }
}

/** include/uapi/linux/magic.h: CGROUP2_SUPER_MAGIC. */
const CGROUP2_MAGIC = 0x63677270;
const MAX_CGROUPS = 50_000;
const MAX_MOUNTINFO = 4 * 1024 * 1024;
