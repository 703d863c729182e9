/** How one thing on this host bears on a live capture. */
export type CheckState =
  | 'ok'
  /** Good to know; a capture sees as much with it. */
  | 'note'
  /** A capture works, and sees less. */
  | 'limited'
  /** No capture without it. */
  | 'missing';

/** One thing that a capture needs of this host, and whether it is there. */
export interface Check {
  readonly name: string;
  readonly state: CheckState;
  readonly found: string;
  readonly needed: string;
  /** What to do about it; null where nothing is to be done. */
  readonly advice: string | null;
}

/** What a capture will be on this host. */
export interface Diagnosis {
  readonly capture: 'whole' | 'limited' | 'impossible';
  /** Why it is impossible; null where it is not. */
  readonly lacks: 'unavailable' | 'permission' | null;
  /** Name of the tier in which a capture would run, as its manifest will name it. */
  readonly tier: string | null;
  /** What a capture here would not see, in words. */
  readonly notSeen: readonly string[];
  readonly checks: readonly Check[];
}
