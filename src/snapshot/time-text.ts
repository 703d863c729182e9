/** RFC 3339 in UTC with nine digits of a second. `timeNs` counts from 1970; what no calendar date can say is clamped. */
export function formatTimeNs(timeNs: bigint): string {
  const clamped = timeNs < 0n ? 0n : timeNs > LAST ? LAST : timeNs;
  const seconds = Number(clamped / BILLION);
  const nanos = String(clamped % BILLION).padStart(9, '0');
  return `${new Date(seconds * 1000).toISOString().slice(0, 19)}.${nanos}Z`;
}

/** formatTimeNs() for times in two numbers, of which many lie in the same second. */
export class TimeText {
  private second = -1;
  private text = '';

  of(seconds: number, nanos: number): string {
    if (seconds > LAST_SECOND) return formatTimeNs(LAST);
    if (seconds !== this.second) {
      this.second = seconds;
      this.text = formatTimeNs(BigInt(seconds) * BILLION).slice(0, 20);
    }
    return `${this.text}${String(1e9 + nanos).slice(1)}Z`;
  }
}

/** The inverse of formatTimeNs(); digits beyond the ninth are dropped. 0 for what is no time. */
export function parseTimeNs(text: string): bigint {
  const match = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d+))?Z$/.exec(text);
  const milliseconds = match ? Date.parse(`${match[1] ?? ''}Z`) : NaN;
  if (Number.isNaN(milliseconds)) return 0n;
  return BigInt(milliseconds) * 1_000_000n + BigInt((match?.[2] ?? '').padEnd(9, '0').slice(0, 9));
}

/** Whether what is written as formatTimeNs() does is a moment: a day of the calendar, and a time of that day. */
export function isMoment(text: string): boolean {
  const second = text.slice(0, 19);
  const milliseconds = Date.parse(`${second}Z`);
  // Date.parse() takes February 30 for March 2.
  return !Number.isNaN(milliseconds) && new Date(milliseconds).toISOString().startsWith(second);
}

const BILLION = 1_000_000_000n;
/** The end of the year 9999, the last that RFC 3339 can write. */
const LAST_SECOND = 253_402_300_799;
const LAST = BigInt(LAST_SECOND) * BILLION + 999_999_999n;
