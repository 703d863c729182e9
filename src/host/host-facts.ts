import { existsSync, readdirSync } from 'node:fs';
import { machine } from 'node:os';
import { join } from 'node:path';
import { readBounded, readRegular } from '../procfs/bounded-read.js';
import { FieldReader, ReadFault } from '../procfs/field-errors.js';
import { parseMountinfo } from '../procfs/mountinfo.js';
import { Procfs } from '../procfs/procfs.js';
import type { Host } from '../snapshot/schema/host.js';
import type { Manifest } from '../snapshot/schema/manifest.js';
import { readUptimeNs } from './clocks.js';
import { compareModules, parseModules } from './modules.js';
import { parseOsRelease } from './os-release.js';
import { ownView } from './own-view.js';
import { readPreload } from './preload-file.js';
import { parseTaint } from './taint.js';

/** What to look at, and from where. Can cross to another process as a message. */
export interface HostRequest {
  roots: HostRoots;
  /** The tool's own pid and loading environment (`loadingEnvironment`). */
  self: { pid: number; environment: string[] };
}

export interface HostRoots {
  proc: string;
  sys: string;
  etc: string;
}

export const HOST_ROOTS: HostRoots = { proc: '/proc', sys: '/sys', etc: '/etc' };

/**
 * The host's facts. What cannot be read is null and an entry in `errors`. BPF objects, hidden processes and clock steps
 * are not known here: the capture fills them in.
 */
export function collectHost({ roots, self }: HostRequest): Host {
  const procfs = new Procfs(roots.proc);
  const fields = new FieldReader(() => true);
  const line = (field: string, path: string): string | null =>
    fields.optional(field, () => readBounded(path, MAX_LINE).bytes.toString('utf8').replace(/\n$/, ''));
  const sysctl = (field: string, name: string) => line(field, join(roots.proc, 'sys/kernel', name));

  const mounts = fields.get('mounts', () => readMounts(procfs, fields)) ?? [];
  const machineId = line('machineId', join(roots.etc, 'machine-id'));
  const uptime = readUptimeNs(procfs);
  return {
    readAt: new Date().toISOString().replace('Z', '000000Z'),
    hostname: sysctl('hostname', 'hostname'),
    machineId: machineId !== null && /^[0-9a-f]{32}$/.test(machineId) ? machineId : null,
    bootId: sysctl('bootId', 'random/boot_id'),
    uptimeNs: uptime === null ? null : String(uptime),
    kernel: {
      release: sysctl('kernel.release', 'osrelease'),
      version: sysctl('kernel.version', 'version'),
      architecture: machine(),
      commandLine: line('kernel.commandLine', join(roots.proc, 'cmdline')),
    },
    osRelease:
      fields.optional('osRelease', () =>
        parseOsRelease(readRegular(join(roots.etc, 'os-release'), MAX_LINE).bytes.toString('utf8')),
      ) ?? {},
    taint: fields.optional('taint', () => readTaint(procfs)),
    // A kernel without loadable modules has no /proc/modules.
    modules: fields.optional('modules', () => readModules(roots)),
    lsm: line('lsm', join(roots.sys, 'kernel/security/lsm'))?.split(',') ?? null,
    lockdown: parseLockdown(line('lockdown', join(roots.sys, 'kernel/security/lockdown'))),
    mounts,
    preload: readPreload(join(roots.etc, 'ld.so.preload'), fields.errors),
    self: ownView(procfs, self.pid, self.environment, mounts, fields.errors),
    processes: fields.get('processes', () => {
      const { pids, truncated } = procfs.pids();
      return { listed: pids.length, truncated };
    }),
    hiddenProcesses: null,
    bpf: null,
    clockStepNs: null,
    errors: fields.errors,
  };
}

/** The manifest's few words on the host. */
export function summaryOf(host: Host): NonNullable<Manifest['host']> {
  return {
    hostname: host.hostname ?? '',
    machineId: host.machineId,
    bootId: host.bootId,
    os: host.osRelease['PRETTY_NAME'] ?? null,
    kernel: host.kernel.release,
    architecture: host.kernel.architecture,
  };
}

/** `none [integrity] confidentiality`: the one in brackets is on. */
export function parseLockdown(text: string | null): Host['lockdown'] {
  const mode = /\[([a-z]+)\]/.exec(text ?? '')?.[1];
  return mode === 'none' || mode === 'integrity' || mode === 'confidentiality' ? mode : null;
}

function readTaint(procfs: Procfs): Host['taint'] {
  const taint = parseTaint(procfs.read('sys/kernel/tainted', 64).bytes.toString('latin1'));
  if (!taint) throw new ReadFault('MALFORMED');
  return taint;
}

function readModules({ proc, sys }: HostRoots): Host['modules'] {
  const loaded = parseModules(readBounded(join(proc, 'modules'), MAX_MODULES).bytes.toString('utf8'));
  const directory = join(sys, 'module');
  const inSys = readdirSync(directory).filter((name) => existsSync(join(directory, name, 'initstate')));
  return compareModules(loaded, inSys);
}

function readMounts(procfs: Procfs, fields: FieldReader): Host['mounts'] {
  const { bytes, truncated } = procfs.read('self/mountinfo', MAX_MOUNTINFO);
  if (truncated) fields.note('mounts', 'TRUNCATED');
  return parseMountinfo(bytes.toString('utf8'));
}

/** A sysctl is a page at most; os-release is a few hundred bytes. */
const MAX_LINE = 65536;
const MAX_MODULES = 1024 * 1024;
/** A host of containers has thousands of mounts of some 300 bytes. */
const MAX_MOUNTINFO = 4 * 1024 * 1024;
