import type { Confidence } from '../intel/confidence.js';
import { extentOf, feedGaps } from '../intel/feed-gaps.js';
import { IndicatorIndex } from '../intel/indicator-index.js';
import { ja4Forms } from '../intel/ja4-forms.js';
import type { Feed } from '../intel/load.js';
import { Matcher } from '../intel/matches.js';
import { type Identities, NO_IDENTITIES } from '../snapshot/decryption.js';
import { openSnapshot } from '../snapshot/reader.js';
import type { Manifest } from '../snapshot/schema/manifest.js';
import type { Evidence, SeenValue } from './distinct-values.js';
import type { Finding } from './finding.js';
import { FindingCollector } from './findings.js';
import { CATEGORIES, Profile, UNKNOWN_ARGUMENTS, type Category } from './profile.js';
import { survey, type Surveyed } from './survey.js';

/** One value that is in one of the snapshots only, or in both and with something else. */
export interface Difference {
  readonly category: Category;
  readonly change: 'new' | 'gone' | 'changed';
  readonly value: string;
  /** Of a changed value: what it came with before, and after (hashes of a path, executables of a fingerprint). */
  readonly before: readonly string[] | null;
  readonly after: readonly string[] | null;
  /** Where it was seen first: in AFTER, or where it is gone in BEFORE. */
  readonly evidence: Evidence;
  /** How often it was seen there. */
  readonly count: number;
}

/** A finding of AFTER, or one of BEFORE that is gone. */
export type ComparedFinding = Finding & { readonly status: 'new' | 'same' | 'gone' };

export interface DiffedSnapshot extends Surveyed {
  readonly path: string;
  readonly manifestSha256: string;
  readonly source: Manifest['source'];
  readonly host: string | null;
  readonly window: Pick<Manifest['window'], 'start' | 'end'>;
  readonly coverage: Manifest['coverage'];
}

export interface Diff {
  readonly before: DiffedSnapshot;
  readonly after: DiffedSnapshot;
  readonly differences: readonly Difference[];
  readonly findings: readonly ComparedFinding[];
  /** Hits in AFTER, where feeds were given. */
  readonly hits: Readonly<Record<Confidence | 'total', number>>;
  /** What could not be compared, or not all of it. */
  readonly notCompared: readonly { readonly category: Category | 'finding' | 'feed'; readonly reason: string }[];
  /** What makes the comparison as a whole doubtful. */
  readonly doubts: readonly string[];
}

/**
 * Compares a snapshot with an earlier one, or with one of a host that is known to be good. Memory is bounded by
 * distinct values. @throws TlsnapError of kind `input` with the place in the snapshot
 */
export async function diffSnapshots(
  before: string,
  after: string,
  feeds: readonly Feed[],
  identities: Identities = NO_IDENTITIES,
): Promise<Diff> {
  const index = new IndicatorIndex(feeds);
  const [one, other] = [await look(before, index, identities), await look(after, index, identities)];
  return {
    before: one.facts,
    after: other.facts,
    differences: CATEGORIES.flatMap((category) => differencesIn(category, one.profile, other.profile)),
    findings: comparedFindings(one.findings, other.findings),
    hits: other.hits,
    notCompared: [
      ...feedGaps({ feeds: feeds.map(extentOf), notCompared: [] }).map((reason): Diff['notCompared'][number] => ({
        category: 'feed',
        reason,
      })),
      ...index.notCompared.map(({ count, type, reason }): Diff['notCompared'][number] => ({
        category: 'feed',
        reason: `${count} ${type}: ${reason}`,
      })),
      ...unique([one, other].flatMap(gapsOf)),
    ],
    doubts: [...new Set(doubtsOf(one, other))],
  };
}

interface Looked {
  readonly facts: DiffedSnapshot;
  readonly machineId: string | null;
  readonly profile: Profile;
  readonly findings: readonly Finding[];
  readonly findingsLeftOut: number;
  readonly hits: Record<Confidence | 'total', number>;
}

async function look(path: string, index: IndicatorIndex, identities: Identities): Promise<Looked> {
  const snapshot = await openSnapshot(path, identities);
  const { source, window, host, coverage } = snapshot.manifest;
  const profile = new Profile(source === 'pcap', new Matcher(index, { forms: ja4Forms() }));
  const collector = new FindingCollector();
  const surveyed = await survey(snapshot, [profile, collector]);
  return {
    facts: {
      ...{ path, manifestSha256: snapshot.manifestSha256, source, host: host?.hostname ?? null },
      ...{ window: { start: window.start, end: window.end }, coverage, ...surveyed },
    },
    machineId: host?.machineId ?? null,
    profile,
    findings: collector.findings(),
    findingsLeftOut: collector.leftOut,
    hits: profile.hits,
  };
}

function differencesIn(category: Category, before: Profile, after: Profile): Difference[] {
  if (!before.tells(category) || !after.tells(category)) return [];
  const [old, current] = [before.values(category).seen, after.values(category).seen];
  const differences: Difference[] = [];
  const add = (change: Difference['change'], value: string, entry: SeenValue, sets: [string[], string[]] | null) => {
    const [was, is] = sets ?? [null, null];
    differences.push({
      ...{ category, change, value, before: was, after: is },
      ...{ evidence: entry.evidence, count: entry.count },
    });
  };
  for (const [value, entry] of current) {
    const known = old.get(value);
    // That an executable is new is told once, among the executables.
    if (!known && category !== 'fingerprints-of-executable') add('new', value, entry, null);
    if (known && isOther(known.with, entry.with)) add('changed', value, entry, [sorted(known), sorted(entry)]);
  }
  if (category === 'fingerprints-of-executable') return differences;
  for (const [value, entry] of old) if (!current.has(value)) add('gone', value, entry, null);
  return category === 'process' ? withoutUncertain(differences, old, current) : differences;
}

/**
 * Of a process that was gone too soon only the executable may be known. It is nothing new where that executable ran
 * before, and a process is not gone while one of the same executable ran with arguments that nobody could read.
 */
function withoutUncertain(
  differences: readonly Difference[],
  old: ReadonlyMap<string, SeenValue>,
  current: ReadonlyMap<string, SeenValue>,
): Difference[] {
  const executables = (seen: ReadonlyMap<string, SeenValue>) =>
    new Set([...seen].map(([, { evidence }]) => evidence.exe));
  const [before, after] = [executables(old), executables(current)];
  return differences.filter(({ change, value, evidence: { exe } }) => {
    if (value.endsWith(UNKNOWN_ARGUMENTS)) return !(change === 'new' ? before : after).has(exe);
    return change === 'new' || exe === null || !current.has(exe + UNKNOWN_ARGUMENTS);
  });
}

/** Nothing is known of what a value came with where there is none: that is no change. */
function isOther(one: ReadonlySet<string>, other: ReadonlySet<string>): boolean {
  if (one.size === 0 || other.size === 0) return false;
  return one.size !== other.size || [...one].some((value) => !other.has(value));
}

function sorted({ with: companions }: SeenValue): string[] {
  return [...companions].sort().slice(0, MAX_COMPANIONS);
}

function comparedFindings(before: readonly Finding[], after: readonly Finding[]): ComparedFinding[] {
  const [old, current] = [new Set(before.map(({ key }) => key)), new Set(after.map(({ key }) => key))];
  return [
    ...after.map((finding) => ({ ...finding, status: old.has(finding.key) ? ('same' as const) : ('new' as const) })),
    ...before.filter(({ key }) => !current.has(key)).map((finding) => ({ ...finding, status: 'gone' as const })),
  ];
}

function gapsOf({ facts: { path }, profile, findingsLeftOut }: Looked): Diff['notCompared'][number][] {
  const untold = CATEGORIES.filter((category) => !profile.tells(category)).map((category) => ({
    category,
    reason: `${path} does not tell`,
  }));
  const leftOut = CATEGORIES.filter((category) => profile.values(category).leftOut > 0).map((category) => ({
    category,
    reason: `${path} has more different values than are kept: ${profile.values(category).leftOut} sightings left out, so not all that is told as new or gone is`,
  }));
  const unseen = { category: 'finding' as const, reason: `${path} has more suspects than are kept` };
  return [...untold, ...leftOut, ...(findingsLeftOut > 0 ? [unseen] : [])];
}

/** A snapshot may be compared with itself. */
function unique<T>(gaps: readonly T[]): T[] {
  return [...new Map(gaps.map((gap) => [JSON.stringify(gap), gap])).values()];
}

function doubtsOf(before: Looked, after: Looked): string[] {
  const others = before.machineId !== null && after.machineId !== null && before.machineId !== after.machineId;
  return [
    ...(others ? ['the snapshots are of different hosts'] : []),
    ...(after.facts.window.start < before.facts.window.start ? ['BEFORE is the later of the two'] : []),
    ...[before, after]
      .filter(({ facts }) => facts.differing > 0)
      .map(
        ({ facts }) =>
          `${facts.path}: in ${facts.differing} handshakes what was recorded is not what the raw bytes give; the bytes were compared, run tlsnap verify`,
      ),
    ...[before, after]
      .filter(({ facts }) => Object.values(facts.coverage.lossesByKind).some((lost) => lost > 0))
      .map(({ facts }) => `${facts.path} lost events: what seems gone may have been lost`),
  ];
}

const MAX_COMPANIONS = 100;
