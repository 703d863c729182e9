import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';

/** How often a program ran, and for how long in all. */
export interface ProgramRuns {
  readonly runs: number;
  readonly ns: number;
}

/** Runs `body` with kernel.bpf_stats_enabled, which makes the kernel time every run of every program. */
export async function withBpfStats<T>(body: () => Promise<T>): Promise<T> {
  const before = readFileSync(SYSCTL, 'utf8');
  writeFileSync(SYSCTL, '1');
  try {
    return await body();
  } finally {
    writeFileSync(SYSCTL, before);
  }
}

/** By name, what the programs attached to this cgroup have run so far. */
export function programRuns(cgroup: string): Map<string, ProgramRuns> {
  const attached = bpftool('cgroup', 'show', cgroup) as { id: number; name: string }[];
  return new Map(
    attached.map(({ id, name }) => {
      const shown = bpftool('prog', 'show', 'id', String(id)) as { run_cnt?: number; run_time_ns?: number };
      return [name, { runs: shown.run_cnt ?? 0, ns: shown.run_time_ns ?? 0 }];
    }),
  );
}

/** Nanoseconds a run of each program between two readings. */
export function nsPerRun(before: Map<string, ProgramRuns>, after: Map<string, ProgramRuns>): Map<string, number> {
  return new Map(
    [...after].map(([name, { runs, ns }]) => {
      const earlier = before.get(name) ?? { runs: 0, ns: 0 };
      return [name, (ns - earlier.ns) / (runs - earlier.runs)];
    }),
  );
}

function bpftool(...args: string[]): unknown {
  return JSON.parse(execFileSync('bpftool', ['--json', ...args], { encoding: 'utf8' }));
}

const SYSCTL = '/proc/sys/kernel/bpf_stats_enabled';
