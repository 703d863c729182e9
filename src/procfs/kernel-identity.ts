import type { Namespaces, Process } from '../snapshot/schema/process.js';
import { NO_NAMESPACES } from './namespaces.js';
import { hostStrings, textFields } from './text.js';

/** Who the kernel's own event says a process is; all that is left of one that lived for milliseconds. */
export interface KernelIdentity {
  pid: number;
  /** The group leader's start_boottime. */
  startTimeNs: string;
  ppid: number | null;
  uid: number | null;
  gid: number | null;
  comm: Buffer | null;
  exe: Buffer | null;
  /** NUL-terminated arguments, as far as the event had room. */
  cmdline: Buffer | null;
  cmdlineTruncated: boolean;
  netns: number | null;
  pidns: number | null;
}

/** Fills in what /proc did not tell; what it told stays. `startTimeNs` is the kernel's, which is exact. */
export function withKernelIdentity(row: Process, kernel: KernelIdentity): Process {
  const sources: Process['sources'] = row.sources.includes('kernel') ? row.sources : ['kernel', ...row.sources];
  const namespaces: Namespaces = row.namespaces ?? NO_NAMESPACES;
  const truncated = row.cmdline === null && kernel.cmdline !== null && kernel.cmdlineTruncated;
  return {
    ...row,
    sources,
    startTimeNs: kernel.startTimeNs,
    ppid: row.ppid ?? kernel.ppid,
    uid: row.uid ?? kernel.uid,
    gid: row.gid ?? kernel.gid,
    ...(row.comm === null && textFields('comm', kernel.comm)),
    ...(row.exe === null && textFields('exe', kernel.exe)),
    ...(row.cmdline === null && kernel.cmdline !== null && argumentFields(kernel.cmdline)),
    namespaces: { ...namespaces, net: namespaces.net ?? kernel.netns, pid: namespaces.pid ?? kernel.pidns },
    errors: truncated ? [...row.errors, { field: 'cmdline', code: 'TRUNCATED' }] : row.errors,
  };
}

function argumentFields(bytes: Buffer): Pick<Process, 'cmdline' | 'cmdlineRaw'> {
  const { values, raw } = hostStrings(bytes);
  return raw === undefined ? { cmdline: values } : { cmdline: values, cmdlineRaw: raw };
}
