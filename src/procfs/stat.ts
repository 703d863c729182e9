/** What /proc/PID/stat says (proc_pid_stat(5)), as far as a snapshot keeps it. */
export interface ProcessStat {
  pid: number;
  /** The bytes between the outermost parentheses; may hold spaces, parentheses and newlines. */
  comm: Buffer;
  state: string;
  ppid: number;
  /** Clock ticks since boot. */
  startTimeTicks: bigint;
  kernelThread: boolean;
}

/** Null where the text is not of the form. The name is the attacker's, so it ends at the last `)`, not at the first. */
export function parseStat(bytes: Buffer): ProcessStat | null {
  const open = bytes.indexOf('(');
  const close = bytes.lastIndexOf(')');
  if (open < 1 || close < open) return null;
  const pid = decimal(bytes.toString('latin1', 0, open).trim());
  const fields = bytes
    .toString('latin1', close + 1)
    .trim()
    .split(' ');
  const state = fields[0] ?? '';
  const ppid = decimal(fields[1]);
  const flags = decimal(fields[6]);
  const startTime = fields[19];
  if (pid === null || ppid === null || flags === null || !/^[A-Za-z]$/.test(state)) return null;
  if (startTime === undefined || !/^\d{1,20}$/.test(startTime)) return null;
  return {
    pid,
    comm: bytes.subarray(open + 1, close),
    state,
    ppid,
    startTimeTicks: BigInt(startTime),
    kernelThread: (flags & PF_KTHREAD) !== 0,
  };
}

function decimal(text: string | undefined): number | null {
  if (text === undefined || !/^\d{1,10}$/.test(text)) return null;
  const value = Number(text);
  return value <= 0xffff_ffff ? value : null;
}

/** From <linux/sched.h>. */
const PF_KTHREAD = 0x0020_0000;
