/** Real hellos for the targets to begin with. */
import { readFileSync } from 'node:fs';

interface Line {
  readonly transport: string;
  readonly segments: readonly (readonly [direction: 0 | 1, offset: number | null, payload: string])[];
}

/** The segments of each connection of fixtures/hellos. */
export function seedConnections(transport: 'tcp' | 'dtls'): { direction: 0 | 1; payload: Uint8Array }[][] {
  // The instrumented target does not lie where this file does.
  return readFileSync('fixtures/hellos/hellos.ndjson', 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Line)
    .filter((line) => line.transport === transport)
    .map(({ segments }) =>
      segments.map(([direction, , payload]) => ({ direction, payload: Uint8Array.from(Buffer.from(payload, 'hex')) })),
    );
}
