import type { BpfObjects, Host } from '../snapshot/schema/host.js';

/** What of the host's own state makes it doubtful what the host said, a sentence each; `host.json` has the particulars. */
export function hostDoubts({ self, preload, modules, hiddenProcesses, clockStepNs, bpf }: Host): string[] {
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
  told(hidden.length > 0, `${hidden.length} processes that the kernel saw are not listed in /proc: ${pids(hidden)}.`);
  const stepMs = Number(BigInt(clockStepNs ?? '0') / 1_000_000n);
  told(Math.abs(stepMs) >= STEP_MS, `The wall clock was moved by ${stepMs} ms in the window.`);
  return [...doubts, ...bpfDoubts(bpf?.before ?? null, bpf?.after ?? null)];
}

function bpfDoubts(before: BpfObjects | null, after: BpfObjects | null): string[] {
  if (!before) return ['The BPF programs of others could not be listed.'];
  const others = new Set(before.links.filter(({ ours, target }) => !ours && target?.startsWith('cgroup ')));
  const known = new Set(before.programs.map(({ id }) => id));
  const loaded = after?.programs.filter(({ id, ours }) => !ours && !known.has(id)) ?? [];
  const left = new Set(after?.programs.map(({ id }) => id));
  const unloaded = after ? before.programs.filter(({ id, ours }) => !ours && !left.has(id)) : [];
  return [
    ...(others.size > 0 ? [`${others.size} BPF programs of others are on cgroups too.`] : []),
    ...(loaded.length > 0 ? [`${loaded.length} BPF programs were loaded by others in the window.`] : []),
    ...(unloaded.length > 0 ? [`${unloaded.length} BPF programs of others went away in the window.`] : []),
  ];
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
