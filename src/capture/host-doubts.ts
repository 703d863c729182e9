import { counted } from '../counted.js';
import type { BpfObjects, Host } from '../snapshot/schema/host.js';

/** What of the host's own state makes it doubtful what the host said, a sentence each; `host.json` has the particulars. */
export function hostDoubts({ self, preload, modules, mounts, hiddenProcesses, clockStepNs, bpf }: Host): string[] {
  const doubts = self.notes.map((note) => `tlsnap ${note}.`);
  const told = (condition: boolean, text: string): void => {
    if (condition) doubts.push(text);
  };
  told(self.environment.length > 0, `tlsnap was started with ${self.environment.map(nameOf).join(', ')}.`);
  told(preload.exists === true && preload.size !== 0, `${preload.path} loads libraries into every process.`);
  told(
    (modules?.onlyInProc.length ?? 0) + (modules?.onlyInSys.length ?? 0) > 0,
    'Kernel modules are in one of /proc/modules and /sys/module only.',
  );
  const hidden = hiddenProcesses?.filter(({ explanation }) => explanation === null) ?? [];
  told(
    hidden.length > 0,
    `The kernel saw ${counted(hidden.length, 'process', 'processes')} that /proc does not list: ${pids(hidden)}.`,
  );
  const covered = coveredProcesses(mounts);
  told(covered.length > 0, `Mounts lie over processes in /proc, and hide them: ${pids(covered)}.`);
  const stepMs = Number(BigInt(clockStepNs ?? '0') / 1_000_000n);
  told(Math.abs(stepMs) >= STEP_MS, `The wall clock was moved by ${stepMs} ms in the window.`);
  return [...doubts, ...bpfDoubts(bpf?.before ?? null, bpf?.after ?? null)];
}

function bpfDoubts(before: BpfObjects | null, after: BpfObjects | null): string[] {
  const listed = before ?? after;
  if (!listed) return ['The BPF programs of others could not be listed.'];
  const beside = besideOurs(listed);
  const doubts = beside > 0 ? [`The hooks that tlsnap uses have ${counted(beside, 'BPF program')} of others too.`] : [];
  // A recorder is at work before anybody lists what else is.
  if (!before) return doubts;
  const known = new Set(before.programs.map(({ id }) => id));
  const loaded = after?.programs.filter(({ id, ours }) => !ours && !known.has(id)) ?? [];
  const left = new Set(after?.programs.map(({ id }) => id));
  const unloaded = after ? before.programs.filter(({ id, ours }) => !ours && !left.has(id)) : [];
  return [
    ...doubts,
    ...(loaded.length > 0 ? [`Others loaded ${counted(loaded.length, 'BPF program')} in the window.`] : []),
    ...(unloaded.length > 0 ? [`${counted(unloaded.length, 'BPF program')} of others went away in the window.`] : []),
  ];
}

/** At the same hooks of the watched cgroup, of those above and of those below, with a link or without. */
function besideOurs({ attachments = [], programs }: BpfObjects): number {
  const ours = new Set(programs.filter((program) => program.ours).map(({ id }) => id));
  return new Set(attachments.map(({ programId }) => programId).filter((id) => !ours.has(id))).size;
}

/** What anybody may do who may mount: a folder of another file system over /proc/PID shows nothing of the process. */
function coveredProcesses(mounts: Host['mounts']): { pid: number }[] {
  const found = mounts.map(({ mountPoint }) => /^\/proc\/(\d{1,10})(?:\/|$)/.exec(mountPoint)?.[1]);
  return [...new Set(found)].filter((pid) => pid !== undefined).map((pid) => ({ pid: Number(pid) }));
}

function nameOf(variable: string): string {
  return variable.slice(0, variable.indexOf('='));
}

function pids(processes: readonly { pid: number }[]): string {
  const shown = processes.slice(0, SHOWN).map(({ pid }) => String(pid));
  return [...shown, ...(processes.length > SHOWN ? ['...'] : [])].join(', ');
}

/** Slewing, and the reading itself, stay below. */
const STEP_MS = 50;
const SHOWN = 10;
