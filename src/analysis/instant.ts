/** A moment in two numbers, because nanoseconds since 1970 do not fit into one. */
export interface Instant {
  /** Since 1970. */
  readonly seconds: number;
  readonly nanos: number;
}

/** Reads a snapshot's time: RFC 3339, UTC, nine digits (the schema has checked the shape, not that the day exists). */
export function instantOf(time: string): Instant {
  const part = (start: number, end: number): number => Number(time.slice(start, end));
  const ms = Date.UTC(part(0, 4), part(5, 7) - 1, part(8, 10), part(11, 13), part(14, 16), part(17, 19));
  return { seconds: ms / 1000, nanos: part(20, 29) };
}

/** From `earlier` to `later`, in milliseconds. */
export function msBetween(earlier: Instant, later: Instant): number {
  return (later.seconds - earlier.seconds) * 1000 + (later.nanos - earlier.nanos) / 1e6;
}
