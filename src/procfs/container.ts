import type { Container } from '../snapshot/schema/process.js';

/**
 * The container that a process's cgroup paths name, or null. Of nested ones it is the innermost. The first path that
 * names one decides. A container's monitor (conmon, lxc.monitor) runs outside of it and names none.
 */
export function containerOf(paths: readonly string[]): Container | null {
  for (const path of paths) {
    const podUid = podOf(path);
    const segments = path.split('/');
    for (let index = segments.length - 1; index > 0; index--) {
      const found = containerOfSegment(segments[index] ?? '', segments[index - 1] ?? '', podUid !== null);
      if (found === 'monitor') return null;
      if (found) return { ...found, podUid };
    }
  }
  return null;
}

/** The systemd units that a cgroup path names, by the rules of systemd's own cg_path_get_unit. */
export function systemdUnitsOf(path: string): { systemdUnit: string | null; systemdUserUnit: string | null } {
  const segments = path.split('/').filter((segment) => segment !== '');
  const system = nextUnit(segments, 0);
  if (!system) return { systemdUnit: null, systemdUserUnit: null };
  const user = /^user@\d+\.service$/.test(system.unit) ? nextUnit(segments, system.next) : null;
  return { systemdUnit: system.unit, systemdUserUnit: user?.unit ?? null };
}

type Named = Pick<Container, 'id' | 'runtime'>;

function containerOfSegment(segment: string, parent: string, inPod: boolean): Named | 'monitor' | null {
  const scope = /^(?:(.+)-)?([0-9a-f]{64})(?:\.scope)?$/.exec(segment);
  if (scope) return containerOfId(scope[1], scope[2] ?? '', parent, inPod);

  // containerd given a systemd path without the systemd driver: `....slice:cri-containerd:ID` is one name.
  const unsplit = /:(cri-containerd|crio|docker|libpod):([0-9a-f]{64})$/.exec(segment);
  if (unsplit) return { id: unsplit[2] ?? '', runtime: RUNTIME_OF_PREFIX[unsplit[1] ?? ''] ?? null };

  // Fargate: /ecs/TASK/TASK-NUMBER.
  if (/^[0-9a-f]{32}-\d{1,20}$/.test(segment)) return { id: segment, runtime: null };

  if (/^lxc\.monitor(?:\.|$)/.test(segment) || parent === 'lxc.monitor') return 'monitor';
  const lxc = /^lxc\.payload\.(.+)$/.exec(segment)?.[1];
  if (lxc !== undefined) return { id: lxc, runtime: 'lxc' };
  if ((parent === 'lxc' || parent === 'lxc.payload') && segment !== '') return { id: segment, runtime: 'lxc' };

  const nspawn = /^systemd-nspawn@(.+)\.service$/.exec(segment)?.[1];
  if (nspawn !== undefined) return { id: unescapeUnit(nspawn), runtime: 'systemd-nspawn' };
  // machined names libvirt's guests the same way, with the driver in front.
  const machine = /^machine-(.+)\.scope$/.exec(segment)?.[1];
  if (machine === undefined) return null;
  const [driver, ...rest] = unescapeUnit(machine).split('-');
  if (driver === 'qemu' && rest.length > 0) return null;
  if (driver === 'lxc' && /^\d+$/.test(rest[0] ?? '')) return { id: rest.slice(1).join('-'), runtime: 'lxc' };
  return { id: unescapeUnit(machine), runtime: 'systemd-nspawn' };
}

function containerOfId(
  prefix: string | undefined,
  id: string,
  parent: string,
  inPod: boolean,
): Named | 'monitor' | null {
  if (prefix === 'libpod-conmon' || prefix === 'crio-conmon') return 'monitor';
  if (prefix !== undefined) {
    const runtime = RUNTIME_OF_PREFIX[prefix];
    return runtime === undefined ? null : { id, runtime };
  }
  if (parent === 'docker' || parent === 'buildkit') return { id, runtime: 'docker' };
  if (parent === 'libpod_parent') return { id, runtime: 'podman' };
  if (parent === 'default' || parent === 'nerdctl') return { id, runtime: 'containerd' };
  return inPod || parent.length > 0 ? { id, runtime: null } : null;
}

/** Both drivers: `podUID` (cgroupfs) and `kubepods-burstable-podUID.slice` (systemd, dashes turned to underscores). */
function podOf(path: string): string | null {
  const match = /(?:^|[/-])pod([0-9a-f]{8}([-_])[0-9a-f]{4}\2[0-9a-f]{4}\2[0-9a-f]{4}\2[0-9a-f]{12}|[0-9a-f]{32})/.exec(
    path,
  );
  return match?.[1]?.replaceAll('_', '-') ?? null;
}

/** Skips slices; the first thing after them is the unit, or there is none. */
function nextUnit(segments: readonly string[], from: number): { unit: string; next: number } | null {
  for (let index = from; index < segments.length; index++) {
    const name = (segments[index] ?? '').replace(/^_/, '');
    if (SLICE.test(name)) continue;
    return UNIT.test(name) ? { unit: name, next: index + 1 } : null;
  }
  return null;
}

/** `\x2d` is a dash in a unit's name (systemd.unit(5)). */
function unescapeUnit(name: string): string {
  return name.replace(/\\x([0-9a-f]{2})/g, (_, code: string) => String.fromCharCode(parseInt(code, 16)));
}

const UNIT = /^[A-Za-z0-9:_.\\@-]{1,247}\.(?:service|scope|socket|mount|swap|automount|target|timer|path|device)$/;
const SLICE = /^[A-Za-z0-9:_.\\@-]{1,249}\.slice$/;

const RUNTIME_OF_PREFIX: Record<string, Exclude<Container['runtime'], null>> = {
  docker: 'docker',
  'cri-containerd': 'containerd',
  nerdctl: 'containerd',
  libpod: 'podman',
  'libpod-payload': 'podman',
  crio: 'cri-o',
};
