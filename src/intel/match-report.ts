import { counted } from '../counted.js';
import { feedGaps } from './feed-gaps.js';
import type { MatchSummary, SnapshotSummary } from './match-snapshots.js';

/** The lines that make "no match" mean something: what was compared, what was not, and what the snapshots never saw. */
export function matchReport(summary: MatchSummary): string[] {
  const { compared, hits } = summary;
  const result =
    hits.total === 0
      ? 'no match'
      : `${counted(hits.total, 'hit')}: ${hits.high} high, ${hits.medium} medium, ${hits.low} low`;
  return [
    `${result}; compared ${counted(compared.handshakes, 'handshake')} and ${counted(compared.processes, 'executable')} ` +
      `with ${counted(compared.indicators, 'indicator')}`,
    ...feedGaps(summary),
    ...(summary.pairsForgotten > 0
      ? [`${summary.pairsForgotten} half-met pairs had to be forgotten: too many connections at once`]
      : []),
    ...summary.snapshots.flatMap(blindSpots),
  ];
}

function blindSpots(snapshot: SnapshotSummary): string[] {
  const { path, coverage } = snapshot;
  const spots = [
    some(snapshot.handshakesWithoutFingerprint, 'handshake', 'without a fingerprint'),
    some(snapshot.processesWithoutHash, 'process', 'without an executable hash', 'processes'),
    some(coverage.hellosTruncated, 'hello', 'cut short'),
    some(coverage.connectionsWithoutHello ?? 0, 'connection', 'without a hello'),
    some(coverage.socketsOlderThanWindow ?? 0, 'socket', 'older than the window'),
    ...Object.entries(coverage.lossesByKind).map(([kind, count]) => some(count, 'event', `lost (${kind})`)),
    ...coverage.kernelFeaturesMissing.map((feature) => `the kernel lacked ${feature}`),
    // Sentences of their own elsewhere.
    ...coverage.limits.map((limit) => limit.replace(/\.$/, '')),
  ].filter((spot) => spot !== null);
  return spots.length === 0 ? [] : [`${path} did not see all: ${spots.join('; ')}`];
}

function some(count: number, what: string, rest: string, plural?: string): string | null {
  return count === 0 ? null : `${counted(count, what, plural)} ${rest}`;
}
