/** Times of a snapshot (RFC 3339, UTC, nine digits) in the units that other tools want; null for what is no date. */

/** Milliseconds since 1970. */
export function epochMs(time: string): number | null {
  const seconds = epochSeconds(time);
  return seconds === null ? null : seconds * 1000 + Number(time.slice(20, 23));
}

/** Microseconds since 1970: exact until the year 2255. */
export function epochMicros(time: string): number | null {
  const seconds = epochSeconds(time);
  return seconds === null ? null : seconds * 1_000_000 + Number(time.slice(20, 26));
}

/** ISO 8601 with microseconds and the offset written out. */
export function isoMicros(time: string): string {
  return `${time.slice(0, 26)}+00:00`;
}

/** A schema's pattern lets the 99th of a month through; no calendar does. */
function epochSeconds(time: string): number | null {
  const ms = Date.parse(`${time.slice(0, 19)}Z`);
  return Number.isNaN(ms) ? null : ms / 1000;
}
