import { counted } from '../counted.js';
import { feedGaps } from '../intel/feed-gaps.js';
import type { ReplaySummary } from './replay.js';

/** The lines that say what a replay was a replay of, and whether what was recorded is what the raw bytes say. */
export function replayReport(summary: ReplaySummary): string[] {
  const { handshakes, derived, comparedWithKernel, differing, processes, processesLeftOut, hits } = summary;
  return [
    `${counted(handshakes, 'hello')} and ${counted(processes, 'process', 'processes')} from ${summary.window.start} to ${summary.window.end}`,
    `${counted(derived, 'hello')} derived anew from the raw bytes, ${comparedWithKernel.toLocaleString('en')} compared with the kernel: ` +
      (differing === 0 ? 'all as recorded' : `${counted(differing, 'hello')} DIFFER`),
    ...(hits.total > 0
      ? [`${counted(hits.total, 'hit')}: ${hits.high} high, ${hits.medium} medium, ${hits.low} low`]
      : []),
    ...feedGaps(summary),
    ...(processesLeftOut > 0 ? [`${counted(processesLeftOut, 'process', 'processes')} more than are told here`] : []),
    'the signature and the digests that it covers are checked by tlsnap verify',
  ];
}
