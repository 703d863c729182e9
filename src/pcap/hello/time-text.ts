/** RFC 3339 in UTC with nine digits of a second. `timeNs` counts from 1970; what no calendar date can say is clamped. */
export function formatTimeNs(timeNs: bigint): string {
  const clamped = timeNs < 0n ? 0n : timeNs > LAST ? LAST : timeNs;
  const seconds = Number(clamped / BILLION);
  const nanos = String(clamped % BILLION).padStart(9, '0');
  return `${new Date(seconds * 1000).toISOString().slice(0, 19)}.${nanos}Z`;
}

const BILLION = 1_000_000_000n;
/** The end of the year 9999, the last that RFC 3339 can write. */
const LAST = 253_402_300_799n * BILLION + 999_999_999n;
