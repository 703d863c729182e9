import { describeHello, type HelloDescription } from '../tls/describe.js';
import type { FingerprintCache } from '../tls/fingerprint-cache.js';
import type { Handshake } from './schema/handshake.js';

/** Something recorded that is not what the raw bytes give; null where the one or the other has nothing. */
export interface Difference {
  /** `fingerprints.ja3`, `tls.serverName`, `kernel.ja3`; the group alone where one side lacks all of it. */
  readonly field: string;
  readonly recorded: unknown;
  readonly derived: unknown;
}

export interface Rederivation {
  readonly derived: HelloDescription;
  /** What of the recorded fields, and of what the kernel computed, the raw bytes do not give. */
  readonly differences: readonly Difference[];
}

/** Derives a row's fields and fingerprints anew from its raw bytes, and compares. */
export function rederive(row: Handshake, cache: FingerprintCache): Rederivation {
  const { kind, transport, hello, kernel } = row;
  const derived = describeHello(Buffer.from(hello.raw, 'base64'), { kind, transport, sslv2: hello.sslv2, cache });
  const differences: Difference[] = [];
  compare('fingerprints', row.fingerprints, derived.fingerprints, differences);
  compare('tls', row.tls, derived.tls, differences);
  if (kernel && derived.fingerprints) {
    for (const field of ['ja3', 'ja3Sha256'] as const) {
      const [recorded, fromRaw] = [kernel[field], derived.fingerprints[field] ?? null];
      if (recorded !== undefined && recorded !== fromRaw) {
        differences.push({ field: `kernel.${field}`, recorded, derived: fromRaw });
      }
    }
  }
  return { derived, differences: differences.length === 0 ? NONE : differences };
}

function compare(group: string, recorded: object | null, derived: object | null, differences: Difference[]): void {
  if (!recorded || !derived) {
    if (recorded !== derived) differences.push({ field: group, recorded, derived });
    return;
  }
  const [one, other] = [recorded as Record<string, unknown>, derived as Record<string, unknown>];
  for (const name in other) differ(`${group}.${name}`, one[name], other[name], differences);
  for (const name in one) if (!(name in other)) differ(`${group}.${name}`, one[name], undefined, differences);
}

function differ(field: string, recorded: unknown, derived: unknown, differences: Difference[]): void {
  if (same(recorded, derived)) return;
  differences.push({ field, recorded: recorded ?? null, derived: derived ?? null });
}

/** Of text, numbers, and lists of them: what a described hello is made of. */
function same(one: unknown, other: unknown): boolean {
  if (one === other) return true;
  if (!Array.isArray(one) || !Array.isArray(other) || one.length !== other.length) return false;
  for (let at = 0; at < one.length; at++) if (one[at] !== other[at]) return false;
  return true;
}

const NONE: readonly Difference[] = [];
