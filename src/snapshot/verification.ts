/** The checks of `tlsnap verify`, in the order in which they are told. */
export const CHECKS = [
  'container',
  'manifest',
  'signature',
  'signer',
  'members',
  'schema',
  'timeline',
  'fingerprints',
  'coverage',
  'chain',
] as const;

export type CheckName = (typeof CHECKS)[number];

export interface Finding {
  /** The member and line, the byte, or the field that is meant. */
  readonly place: string;
  readonly problem: string;
}

export interface CheckResult {
  readonly check: CheckName;
  readonly ok: boolean;
  /** What was looked at, or how many problems there are. */
  readonly summary: string;
  /** The first hundred. */
  readonly findings: readonly Finding[];
  readonly findingCount: number;
}

export interface VerifiedSigner {
  readonly type: string;
  /** `SHA256:...`, to be compared with what was noted when the snapshot was made. */
  readonly fingerprint: string;
  readonly source: 'file' | 'agent' | 'one-time' | null;
  readonly comment: string | null;
  /** Who that is by the allowed signers file; null where none was given. */
  readonly principals: readonly string[] | null;
}

/** What `verifySnapshot` found. */
export interface Verification {
  readonly snapshot: string;
  readonly ok: boolean;
  /** SHA-256 of manifest.json, in lowercase hex; null where there is none. */
  readonly manifestSha256: string | null;
  readonly signer: VerifiedSigner | null;
  readonly handshakes: number;
  readonly checks: readonly CheckResult[];
  readonly notes: readonly string[];
}

/** Collects the findings of all checks; only the first of each are kept, so that a hostile file cannot fill memory. */
export class Findings {
  readonly #byCheck = new Map<CheckName, { kept: Finding[]; count: number }>();
  readonly #summaries = new Map<CheckName, string>();

  add(check: CheckName, place: string, problem: string): void {
    const found = this.#byCheck.get(check) ?? { kept: [], count: 0 };
    found.count += 1;
    if (found.kept.length < KEPT) found.kept.push({ place, problem });
    this.#byCheck.set(check, found);
  }

  /** What the check looked at, to be said where it found nothing. */
  passed(check: CheckName, summary: string): void {
    this.#summaries.set(check, summary);
  }

  isClean(check: CheckName): boolean {
    return !this.#byCheck.has(check) && this.#summaries.has(check);
  }

  /** A check that neither found anything nor was passed could not be made, which is no success. */
  results(): CheckResult[] {
    return CHECKS.map((check) => {
      const { kept, count } = this.#byCheck.get(check) ?? { kept: [], count: 0 };
      const summary = this.#summaries.get(check);
      if (count > 0) {
        return {
          check,
          ok: false,
          summary: `${count} ${count === 1 ? 'problem' : 'problems'}`,
          findings: kept,
          findingCount: count,
        };
      }
      return {
        check,
        ok: summary !== undefined,
        summary: summary ?? 'could not be checked',
        findings: [],
        findingCount: 0,
      };
    });
  }
}

const KEPT = 100;
