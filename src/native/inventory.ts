import type { BpfAttachment, BpfLink, BpfObjects } from '../snapshot/schema/host.js';
import { isNativeError, loadAddon, type Addon } from './addon.js';

/** A cgroup to ask what runs at its hooks. */
export interface CgroupDirectory {
  /** Decimal; what links name it by. */
  readonly id: string;
  /** Below the root of the hierarchy. */
  readonly path: string;
  readonly directory: string;
}

/**
 * Which BPF programs and links the kernel runs, and which of them are at the hooks of these cgroups; null where it may not be
 * asked. Who holds them open is not known here.
 *
 * @param ours ids of our own programs
 */
export function bpfObjects(ours: ReadonlySet<number>, cgroups: readonly CgroupDirectory[]): BpfObjects | null {
  const addon = loadAddon();
  try {
    const links = linksOf(addon, ours);
    return {
      programs: addon.loadedPrograms().map(({ id, type, name, tag, uid, loadBootNs }) => ({
        id,
        type: PROGRAM_TYPES[type] ?? `type-${type}`,
        name: name === '' ? null : name,
        tag: /^[0-9a-f]{16}$/.test(tag) ? tag : null,
        loadTimeNs: String(loadBootNs),
        uid,
        ours: ours.has(id),
        owners: [],
      })),
      links,
      ...(cgroups.length > 0 && { attachments: cgroups.flatMap((cgroup) => attachmentsAt(addon, cgroup, links)) }),
    };
  } catch (error) {
    if (isNativeError(error)) return null;
    throw error;
  }
}

function linksOf(addon: Addon, ours: ReadonlySet<number>): BpfLink[] {
  return addon.loadedLinks().map(({ id, type, programId, cgroupId, attachType }) => ({
    id,
    type: LINK_TYPES[type] ?? `type-${type}`,
    programId: programId === 0 ? null : programId,
    attachType: attachType === 0 && cgroupId === 0n ? null : (ATTACH_TYPES[attachType] ?? `type-${attachType}`),
    target: cgroupId === 0n ? null : `cgroup ${cgroupId}`,
    ours: ours.has(programId),
    owners: [],
  }));
}

/** Whoever attaches without a link (systemd does) is in no list of links. */
function attachmentsAt(
  addon: Addon,
  { id, path, directory }: CgroupDirectory,
  links: readonly BpfLink[],
): BpfAttachment[] {
  return HOOKS.flatMap(({ hook, attachType }) => {
    let programs: number[];
    try {
      programs = addon.attachedPrograms(directory, hook);
    } catch (error) {
      // Gone meanwhile.
      if (isNativeError(error) && error.code !== 'EPERM') return [];
      throw error;
    }
    return programs.map((programId) => {
      const link = links.find(
        (one) => one.programId === programId && one.attachType === attachType && one.target === `cgroup ${id}`,
      );
      return { cgroup: path, attachType, programId, linkId: link?.id ?? null };
    });
  });
}

/** Where our own programs are, by their names in the addon and in bpftool. */
const HOOKS = [
  { hook: 'egress', attachType: 'cgroup_inet_egress' },
  { hook: 'ingress', attachType: 'cgroup_inet_ingress' },
  { hook: 'sockops', attachType: 'cgroup_sock_ops' },
] as const;

// include/uapi/linux/bpf.h: enum bpf_prog_type, bpf_link_type and bpf_attach_type, in the words of bpftool.
const PROGRAM_TYPES = [
  'unspec',
  'socket_filter',
  'kprobe',
  'sched_cls',
  'sched_act',
  'tracepoint',
  'xdp',
  'perf_event',
  'cgroup_skb',
  'cgroup_sock',
  'lwt_in',
  'lwt_out',
  'lwt_xmit',
  'sock_ops',
  'sk_skb',
  'cgroup_device',
  'sk_msg',
  'raw_tracepoint',
  'cgroup_sock_addr',
  'lwt_seg6local',
  'lirc_mode2',
  'sk_reuseport',
  'flow_dissector',
  'cgroup_sysctl',
  'raw_tracepoint_writable',
  'cgroup_sockopt',
  'tracing',
  'struct_ops',
  'ext',
  'lsm',
  'sk_lookup',
  'syscall',
  'netfilter',
];
const LINK_TYPES = [
  'unspec',
  'raw_tracepoint',
  'tracing',
  'cgroup',
  'iter',
  'netns',
  'xdp',
  'perf_event',
  'kprobe_multi',
  'struct_ops',
  'netfilter',
  'tcx',
  'uprobe_multi',
  'netkit',
  'sockmap',
];
const ATTACH_TYPES = [
  'cgroup_inet_ingress',
  'cgroup_inet_egress',
  'cgroup_inet_sock_create',
  'cgroup_sock_ops',
  'sk_skb_stream_parser',
  'sk_skb_stream_verdict',
  'cgroup_device',
  'sk_msg_verdict',
  'cgroup_inet4_bind',
  'cgroup_inet6_bind',
  'cgroup_inet4_connect',
  'cgroup_inet6_connect',
  'cgroup_inet4_post_bind',
  'cgroup_inet6_post_bind',
  'cgroup_udp4_sendmsg',
  'cgroup_udp6_sendmsg',
  'lirc_mode2',
  'flow_dissector',
  'cgroup_sysctl',
  'cgroup_udp4_recvmsg',
  'cgroup_udp6_recvmsg',
  'cgroup_getsockopt',
  'cgroup_setsockopt',
  'trace_raw_tp',
  'trace_fentry',
  'trace_fexit',
  'modify_return',
  'lsm_mac',
  'trace_iter',
];
