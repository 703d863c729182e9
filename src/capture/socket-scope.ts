import type { Scope } from '../native/scope.js';
import type { Socket } from '../snapshot/schema/socket.js';

/**
 * Whether an open socket belongs to what is watched. A socket does not say who opened the connection, so the direction
 * cannot tell.
 *
 * @param inSubtree whether a process is the one that the scope names, or descends from it
 */
export function socketInScope(socket: Socket, scope: Scope, inSubtree: (pid: number) => boolean): boolean {
  const { netns, pid, ports } = scope;
  if (netns !== 0 && socket.netns !== netns) return false;
  if (ports.length > 0 && !ports.includes(socket.local.port) && !ports.includes(socket.remote?.port ?? 0)) return false;
  return pid === null || socket.owners.some((owner) => inSubtree(owner.pid));
}

/** What was watched, a sentence each, for the manifest. */
export function scopeNotes(cgroup: string, { netns, pid, ports, direction }: Scope): string[] {
  const notes: string[] = [];
  if (cgroup !== '/') {
    notes.push(
      `Only connections of cgroup ${cgroup} were followed; those of others were not looked at and not counted.`,
    );
  }
  if (netns !== 0) notes.push(`Only connections in network namespace ${netns} were followed.`);
  if (pid !== null) notes.push(`Only connections of process ${pid} and of its descendants were followed.`);
  if (ports.length > 0) notes.push(`Only connections with port ${ports.join(' or ')} at either end were followed.`);
  if (direction === 'outbound') notes.push('Only connections that processes here opened were followed.');
  if (direction === 'inbound') notes.push('Only connections that processes here accepted were followed.');
  return notes;
}
