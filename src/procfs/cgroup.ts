import type { CgroupV1 } from '../snapshot/schema/process.js';

/** What /proc/PID/cgroup says (cgroups(7)). Paths are seen from the reader's own cgroup namespace. */
export interface CgroupMembership {
  /** The path in the cgroup2 hierarchy; null where that hierarchy is not in use. */
  v2: string | null;
  v1: CgroupV1[];
}

/** Lines that are not of the form are skipped. The kernel forbids newlines in a cgroup's name. */
export function parseCgroup(text: string): CgroupMembership {
  const membership: CgroupMembership = { v2: null, v1: [] };
  for (const line of text.split('\n')) {
    const match = /^(\d{1,10}):([^:]*):(\/.*)$/s.exec(line);
    if (!match) continue;
    const [, id, controllers = '', path = ''] = match;
    if (id === '0' && controllers === '') membership.v2 ??= path;
    else if (membership.v1.length < MAX_V1) membership.v1.push({ controllers, path });
  }
  return membership;
}

/**
 * The path that best says where the process belongs. On a hybrid host cgroup2 may be mounted and unused: every
 * process is in its root, and systemd's own hierarchy knows better.
 */
export function primaryPath({ v2, v1 }: CgroupMembership): string | null {
  if (v2 !== null && v2 !== '/') return v2;
  const systemd = v1.find(({ controllers }) => controllers === 'name=systemd')?.path;
  return systemd ?? v2 ?? v1[0]?.path ?? null;
}

/** Every distinct path, the most telling first. */
export function allPaths(membership: CgroupMembership): string[] {
  const systemd = membership.v1.find(({ controllers }) => controllers === 'name=systemd')?.path;
  const paths = [membership.v2, systemd, ...membership.v1.map(({ path }) => path)];
  return [...new Set(paths.filter((path) => path !== null && path !== undefined))];
}

/** Named hierarchies are rare, controllers are about a dozen. */
const MAX_V1 = 64;
