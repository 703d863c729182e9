/**
 * Start times. The kernel keeps `start_boottime` in nanoseconds since boot; /proc/PID/stat prints it in clock ticks,
 * rounded down (nsec_to_clock_t). Both count from boot and include suspend.
 */

/** The number of clock ticks a second that the kernel told this process at exec (AT_CLKTCK in its auxiliary vector). */
export function ticksPerSecond(auxv: Buffer): number {
  for (let offset = 0; offset + 16 <= auxv.length; offset += 16) {
    if (auxv.readBigUInt64LE(offset) !== AT_CLKTCK) continue;
    const ticks = auxv.readBigUInt64LE(offset + 8);
    if (ticks >= 1n && ticks <= 1_000_000n) return Number(ticks);
  }
  return USUAL_TICKS_PER_SECOND;
}

export function ticksToNs(ticks: bigint, perSecond: number): bigint {
  return (ticks * NS_PER_SECOND) / BigInt(perSecond);
}

export function nsToTicks(ns: bigint, perSecond: number): bigint {
  return (ns * BigInt(perSecond)) / NS_PER_SECOND;
}

/**
 * Do the kernel's start time (ns) and the one /proc printed (ticks) name the same process?
 * One tick of tolerance: kernels round differently where a second is not a whole number of ticks.
 * So a process that lived shorter than `DISTINCT_AFTER_NS`, and the one that had its pid next, can be the same by this:
 * the whole pid range would have to wrap in that time, or somebody to choose the pid (clone3(2), set_tid).
 */
export function sameStart(startTimeNs: bigint, startTimeTicks: bigint, perSecond: number): boolean {
  const difference = nsToTicks(startTimeNs, perSecond) - startTimeTicks;
  return difference >= -1n && difference <= 1n;
}

/** Two ticks of 10 ms. */
export const DISTINCT_AFTER_NS = 20_000_000n;

/** From <elf.h>. */
const AT_CLKTCK = 17n;
/** USER_HZ of every architecture that Node runs on. */
const USUAL_TICKS_PER_SECOND = 100;
const NS_PER_SECOND = 1_000_000_000n;
