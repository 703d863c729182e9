import type { Manifest } from '../../snapshot/schema/manifest.js';
import { count, shown } from './kept-rows.js';
import type { CoverageLine } from './page-data.js';

/** What a snapshot did not see: without it, "nothing found" means nothing. */
export function coverageLines({ coverage, recovered }: Manifest): CoverageLine[] {
  const { reconciliation } = coverage;
  const lines: (CoverageLine | null)[] = [
    ...(recovered
      ? [bad(`recovered from a killed capture; ${count(recovered.bytesLost)} bytes of its spool could not be kept`)]
      : []),
    ...Object.entries(coverage.lossesByKind).map(([kind, lost]) => some(lost, 'event', `lost (${shown(kind)})`, 'bad')),
    some(coverage.hellosTruncated, 'hello', 'cut short'),
    some(coverage.hellosWithoutProcess, 'hello', 'without a process'),
    some(coverage.connectionsWithoutHello ?? 0, 'connection', 'without a hello'),
    some(
      coverage.socketsOlderThanWindow ?? 0,
      'socket',
      'older than the window: what was said on it before is not here',
    ),
    some(coverage.redacted, 'value', 'redacted'),
    ...coverage.kernelFeaturesMissing.map((feature) => warn(`the kernel lacked ${feature}`)),
    ...coverage.limits.map(warn),
    ...coverage.notes.map((note): CoverageLine => ({ text: shown(note), tone: 'plain' })),
  ];
  const seen = reconciliation
    ? `${count(reconciliation.seen)} events seen, ${count(reconciliation.kept)} kept, ${count(reconciliation.filtered)} filtered, ${count(reconciliation.lost)} lost`
    : `${count(coverage.events)} events kept`;
  const gaps = lines.filter((line) => line !== null);
  const complete = gaps.every(({ tone }) => tone === 'plain');
  return [{ text: complete ? `${seen}; no gaps recorded` : seen, tone: complete ? 'good' : 'plain' }, ...gaps];
}

function some(value: number, what: string, rest: string, tone: 'warn' | 'bad' = 'warn'): CoverageLine | null {
  return value === 0 ? null : { text: `${count(value)} ${what}${value === 1 ? '' : 's'} ${rest}`, tone };
}

function warn(text: string): CoverageLine {
  return { text: shown(text), tone: 'warn' };
}

function bad(text: string): CoverageLine {
  return { text: shown(text), tone: 'bad' };
}
