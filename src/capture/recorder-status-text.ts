import type { RecorderStatus } from './recorder.js';
import { scopeNotes } from './socket-scope.js';

/** `record status`, a line each. */
export function recorderStatusText(status: RecorderStatus | null, pins: string): string[] {
  if (!status) return [`no recorder runs at ${pins}`];
  const { slots, hellos, processes, fingerprints, connections, detached } = status;
  return [
    `recording     since ${status.since}, by tlsnap ${status.toolVersion}, tier ${status.tier}`,
    ...(detached.length > 0 ? [`not recorded  ${detachedText(detached)}`] : []),
    `hellos        ${hellos.seen} seen, ${hellos.overwritten} overwritten`,
    `slots         ${slots.used} of ${slots.size} used, ${slots.overwritten} overwritten, the oldest of ${status.oldest ?? 'no time: none is used'}`,
    `processes     ${processes.used} of ${processes.size}, ${processes.overwritten} overwritten`,
    `fingerprints  ${fingerprints.used} of ${fingerprints.size}, ${fingerprints.refused} refused because the map was full`,
    `connections   ${connections.seen} followed, ${connections.filtered} not in scope`,
    ...scopeNotes(status.cgroup, status.scope).map((note) => `scope         ${note}`),
    `pins          ${pins}`,
  ];
}

/** What it means that programs are off their hooks. */
export function detachedText(programs: readonly string[]): string {
  return `what ${programs.join(', ')} would see: taken off, or the cgroup was removed. Dump, stop, and start anew.`;
}
