import { findCgroup } from '../capture/cgroup2.js';
import { TlsnapError } from '../errors.js';
import { HOST_ROOTS } from '../host/host-facts.js';
import { loadingEnvironment } from '../host/own-view.js';
import { HostReader } from '../host/reader.js';
import { isNativeError, loadAddon, type Addon } from '../native/addon.js';
import { readClocks } from '../native/clocks.js';
import { readPrivileges } from '../native/privileges.js';
import type { SessionOptions } from '../native/session.js';
import type { Host } from '../snapshot/schema/host.js';
import type { Diagnosis } from './check.js';
import { diagnose, diagnoseOther, type Evidence } from './diagnosis.js';
import { readBpfFacts, readOutputFacts } from './facts.js';
import { tryCapture } from './trial.js';

export interface ExamineOptions extends SessionOptions {
  /** Where a snapshot would be written. */
  readonly directory: string;
}

/** Finds out what a live capture with these options would be on this host. Writes nothing, and leaves nothing behind. */
export async function examineHost(options: ExamineOptions): Promise<Diagnosis> {
  if (process.platform !== 'linux') return diagnoseOther(process.platform);
  const host = await readHost();
  const cgroup = findCgroup(undefined);
  const addon = findAddon();
  return diagnose({
    host,
    bpf: readBpfFacts(HOST_ROOTS),
    privileges: readPrivileges(),
    output: await readOutputFacts(options.directory),
    addon,
    cgroupMount: cgroup.mount,
    // Before the trial: its own programs are not to be counted.
    othersOnHooks: 'fault' in addon || cgroup.mount === null ? null : countOnHooks(cgroup.mount),
    clocks: 'fault' in addon ? null : readClocks(),
    ringBytes: options.ringBytes,
    trial: await tryCapture(cgroup, options),
  });
}

async function readHost(): Promise<Host> {
  const reader = new HostReader();
  try {
    return await reader.host({
      roots: HOST_ROOTS,
      self: { pid: process.pid, environment: loadingEnvironment(process.env) },
    });
  } finally {
    reader.close();
  }
}

function findAddon(): Evidence['addon'] {
  try {
    return { libbpf: loadAddon().libbpfVersion };
  } catch (error) {
    if (error instanceof TlsnapError) return { fault: error };
    throw error;
  }
}

function countOnHooks(mount: string): number | null {
  const hooks: Parameters<Addon['attachedPrograms']>[1][] = ['egress', 'ingress', 'sockops'];
  try {
    return hooks.reduce((sum, hook) => sum + loadAddon().attachedPrograms(mount, hook).length, 0);
  } catch (error) {
    if (isNativeError(error)) return null;
    throw error;
  }
}
