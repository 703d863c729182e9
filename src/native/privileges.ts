import { Procfs } from '../procfs/procfs.js';
import { parseStatus, type ProcessStatus } from '../procfs/status.js';

/** What this process may do with BPF. */
export interface Privileges {
  /** Of the capabilities that loading and attaching need, those that are not effective. */
  readonly missing: readonly string[];
  /** Of those that a capture can do without, the ones that are not effective. */
  readonly missingOptional: readonly string[];
  /** True in a user namespace: capabilities there count for nothing with bpf(2). Null where it cannot be told. */
  readonly inUserNamespace: boolean | null;
  /** True under a seccomp filter, such as a container's, which may refuse bpf(2) to whoever has every capability. */
  readonly filtered: boolean;
  /** Capabilities and namespace at once: whether bpf(2) itself will ask no further. */
  readonly mayLoad: boolean;
}

/** From /proc/self; where there is none, root is believed to have every capability. */
export function readPrivileges(procfs = new Procfs()): Privileges {
  const status = readStatus(procfs);
  const effective = effectiveCapabilities(status);
  const lacks = ([, bit]: Capability): boolean => (effective & (1n << BigInt(bit))) === 0n;
  // CAP_SYS_ADMIN stands for each of the three (capabilities(7)).
  const missing = lacks(SYS_ADMIN) ? NEEDED.filter(lacks).map(nameOf) : [];
  const inUserNamespace = isInUserNamespace(procfs);
  return {
    missing,
    missingOptional: OPTIONAL.filter(lacks).map(nameOf),
    inUserNamespace,
    filtered: status?.seccomp === 'filter',
    mayLoad: missing.length === 0 && inUserNamespace !== true,
  };
}

function readStatus(procfs: Procfs): ProcessStatus | null {
  try {
    return parseStatus(procfs.read('self/status', MAX_STATUS).bytes.toString('latin1'));
  } catch {
    return null;
  }
}

function effectiveCapabilities(status: ProcessStatus | null): bigint {
  if (status?.capabilities) return BigInt(`0x${status.capabilities.effective}`);
  // Without /proc, what root usually has must do.
  return process.geteuid?.() === 0 ? ~0n : 0n;
}

/** The initial user namespace alone maps every id to itself (user_namespaces(7)). */
function isInUserNamespace(procfs: Procfs): boolean | null {
  try {
    return !/^\s*0\s+0\s+4294967295\s*$/.test(procfs.read('self/uid_map', MAX_STATUS).bytes.toString('latin1'));
  } catch {
    return null;
  }
}

function nameOf([name]: Capability): string {
  return name;
}

type Capability = readonly [name: string, bit: number];

// include/uapi/linux/capability.h
const SYS_ADMIN: Capability = ['CAP_SYS_ADMIN', 21];
const NEEDED: readonly Capability[] = [
  ['CAP_BPF', 39],
  ['CAP_NET_ADMIN', 12],
  ['CAP_PERFMON', 38],
];
const OPTIONAL: readonly Capability[] = [['CAP_SYS_PTRACE', 19], ['CAP_DAC_READ_SEARCH', 2], SYS_ADMIN];
const MAX_STATUS = 65536;
