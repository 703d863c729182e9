import { type Identities, NO_IDENTITIES } from '../snapshot/decryption.js';
import { openSnapshot, type Snapshot } from '../snapshot/reader.js';
import type { Manifest } from '../snapshot/schema/manifest.js';
import type { Confidence } from './confidence.js';
import { IndicatorIndex, type NotCompared } from './indicator-index.js';
import { ja4Forms } from './ja4-forms.js';
import type { Feed } from './load.js';
import type { Hit } from './hit.js';
import { Matcher } from './matches.js';
import { summarise, type FeedSummary } from './feed-summary.js';

/** What was compared with what, and what could not be: a result without a hit means no more than this says. */
export interface MatchSummary {
  readonly snapshots: readonly SnapshotSummary[];
  readonly feeds: readonly FeedSummary[];
  readonly compared: {
    readonly handshakes: number;
    readonly processes: number;
    readonly indicators: number;
    readonly indicatorsByType: Readonly<Record<string, number>>;
  };
  readonly notCompared: readonly NotCompared[];
  readonly hits: Readonly<Record<Confidence | 'total', number>>;
  /** Connections whose pairs could not be completed, because too many were half met at once. */
  readonly pairsForgotten: number;
}

export interface SnapshotSummary {
  readonly path: string;
  readonly manifestSha256: string;
  readonly source: Manifest['source'];
  readonly window: { readonly start: string; readonly end: string };
  handshakes: number;
  /** Hellos cut short, malformed, SSLv2 or a HelloRetryRequest: they have no fingerprint to compare. */
  handshakesWithoutFingerprint: number;
  processes: number;
  /** Their executable was gone or unreadable. */
  processesWithoutHash: number;
  readonly coverage: Manifest['coverage'];
}

/** Takes the hits of one row; `snapshot` is the path as it was given. May wait, for a slow reader of the output. */
export type OnHits = (snapshot: string, hits: readonly Hit[]) => Promise<void> | void;

/**
 * Compares snapshots, one after the other and in one pass each, with feeds. Memory does not grow with the snapshots.
 * Compares what was recorded; whether that is what the raw bytes say is the work of `verify`.
 */
export async function matchSnapshots(
  paths: readonly string[],
  feeds: readonly Feed[],
  onHits: OnHits,
  identities: Identities = NO_IDENTITIES,
): Promise<MatchSummary> {
  const index = new IndicatorIndex(feeds);
  const hits = { total: 0, high: 0, medium: 0, low: 0 };
  const snapshots: SnapshotSummary[] = [];
  let pairsForgotten = 0;
  for (const path of paths) {
    const matcher = new Matcher(index, { forms: ja4Forms() });
    const snapshot = await openSnapshot(path, identities);
    const summary = emptySummary(path, snapshot);
    snapshots.push(summary);
    for await (const found of hitsOf(snapshot, matcher, summary)) {
      for (const { confidence } of found) hits[confidence]++;
      hits.total += found.length;
      await onHits(path, found);
    }
    pairsForgotten += matcher.forgottenPairs;
  }
  const sum = (count: (one: SnapshotSummary) => number): number => snapshots.reduce((all, one) => all + count(one), 0);
  return {
    snapshots,
    feeds: feeds.map(summarise),
    compared: {
      handshakes: sum((one) => one.handshakes),
      processes: sum((one) => one.processes - one.processesWithoutHash),
      indicators: index.size,
      indicatorsByType: Object.fromEntries(index.sizeByType),
    },
    notCompared: index.notCompared,
    hits,
    pairsForgotten,
  };
}

/** The hits, row by row, while the rows are counted. */
async function* hitsOf(
  snapshot: Snapshot,
  matcher: Matcher,
  summary: SnapshotSummary,
): AsyncGenerator<readonly Hit[], void> {
  for await (const { member, rows } of snapshot.excerpts()) {
    const found: Hit[] = [];
    if (member === 'handshakes') {
      summary.handshakes += rows.length;
      for (const row of rows) {
        if (row.fingerprints === null) summary.handshakesWithoutFingerprint++;
        for (const hit of matcher.handshake(row)) found.push(hit);
      }
    } else {
      summary.processes += rows.length;
      for (const row of rows) {
        if (row.exeSha256 === null) summary.processesWithoutHash++;
        for (const hit of matcher.process(row)) found.push(hit);
      }
    }
    if (found.length > 0) yield found;
  }
}

function emptySummary(path: string, { manifest, manifestSha256 }: Snapshot): SnapshotSummary {
  return {
    path,
    manifestSha256,
    source: manifest.source,
    window: { start: manifest.window.start, end: manifest.window.end },
    handshakes: 0,
    handshakesWithoutFingerprint: 0,
    processes: 0,
    processesWithoutHash: 0,
    coverage: manifest.coverage,
  };
}
