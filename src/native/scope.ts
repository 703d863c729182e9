import { ROLE } from './layout.js';

/** Which connections the kernel follows; what is left out is counted. The cgroup is where the programs are attached. */
export interface Scope {
  /** Inode of the only network namespace; 0 for all. */
  readonly netns: number;
  /** Only this process and its descendants; null for all. */
  readonly pid: number | null;
  /** Only connections with one of these ports at either end; empty for all. At most MAX_PORTS. */
  readonly ports: readonly number[];
  /** Only those that a process here opened, or only those that it accepted. */
  readonly direction: Direction | null;
}

export type Direction = 'outbound' | 'inbound';

export const DIRECTIONS: readonly Direction[] = ['outbound', 'inbound'];

/** The whole host. */
export const EVERYTHING: Scope = { netns: 0, pid: null, ports: [], direction: null };

/** TLSNAP_PORTS_MAX of bpf/tlsnap.h. */
export const MAX_PORTS = 16;

/** The scope as the programs take it, before they are loaded. */
export function scopeTunables({ netns, pid, ports, direction }: Scope): Record<string, number | readonly number[]> {
  return {
    tlsnap_netns: netns,
    tlsnap_subtree: pid === null ? 0 : 1,
    tlsnap_ports: ports,
    tlsnap_port_count: ports.length,
    tlsnap_roles: direction === null ? 0 : 1 << (direction === 'outbound' ? ROLE.CONNECTED : ROLE.ACCEPTED),
  };
}
