import { isDeepStrictEqual } from 'node:util';
import { describeHello } from '../tls/describe.js';
import { FingerprintCache } from '../tls/fingerprint-cache.js';
import type { Handshake } from './schema/handshake.js';
import type { Findings } from './verification.js';

/** Checks the rows of the timeline in their order: numbers, times, and everything that the raw bytes say. */
export class TimelineVerifier {
  readonly #findings: Findings;
  readonly #cache = new FingerprintCache();
  #rows = 0;
  #next = 0;
  #lastTime = '';
  #derived = 0;

  constructor(findings: Findings) {
    this.#findings = findings;
  }

  /** Rows that were read. */
  get rows(): number {
    return this.#rows;
  }

  /** Hellos from whose raw bytes a fingerprint was derived. */
  get derived(): number {
    return this.#derived;
  }

  add(row: Handshake): void {
    this.#rows += 1;
    const place = `handshakes.ndjson seq ${row.seq}`;
    if (row.seq !== this.#next) this.#findings.add('timeline', place, `follows seq ${this.#next - 1}`);
    // RFC 3339 in UTC with nine digits sorts as text.
    if (row.time < this.#lastTime) this.#findings.add('timeline', place, 'is older than the line before it');
    this.#lastTime = row.time;
    this.#next = row.seq + 1;
    this.#compare(row, place);
  }

  #compare(row: Handshake, place: string): void {
    const derived = describeHello(Buffer.from(row.hello.raw, 'base64'), {
      kind: row.kind,
      transport: row.transport,
      sslv2: row.hello.sslv2,
      cache: this.#cache,
    });
    if (derived.fingerprints) this.#derived += 1;
    this.#differ(place, 'fingerprints', derived.fingerprints, row.fingerprints);
    this.#differ(place, 'tls', derived.tls, row.tls);
    for (const field of ['ja3', 'ja3Sha256'] as const) {
      const inKernel = row.kernel?.[field];
      if (inKernel !== undefined && derived.fingerprints && inKernel !== derived.fingerprints[field]) {
        this.#findings.add('fingerprints', place, `kernel ${field} is not what the raw bytes give`);
      }
    }
  }

  #differ(place: string, group: string, derived: object | null, recorded: object | null): void {
    if (isDeepStrictEqual(derived, recorded)) return;
    if (!derived || !recorded) {
      const problem = derived ? 'are missing, though the raw bytes give them' : 'are there, but not in the raw bytes';
      this.#findings.add('fingerprints', place, `${group} ${problem}`);
      return;
    }
    const [a, b] = [derived as Record<string, unknown>, recorded as Record<string, unknown>];
    const field = [...Object.keys(a), ...Object.keys(b)].find((name) => !isDeepStrictEqual(a[name], b[name]));
    this.#findings.add('fingerprints', place, `${group}.${field ?? '*'} is not what the raw bytes give`);
  }
}
