import { counted } from '../counted.js';
import type { Hit } from '../intel/hit.js';
import type { Composed } from './compose.js';

/** What the responder reads when the window is over, a line each; the last two go into the case notes. */
export function coverageBlock(
  { snapshot: { manifest, path, manifestSha256 }, processes, blindSpots }: Composed,
  hits: readonly Hit[] = [],
): string[] {
  const { coverage, window, signer, recovered } = manifest;
  const losses = Object.entries(coverage.lossesByKind).map(([kind, count]) => `${count} ${kind}`);
  const { reconciliation } = coverage;
  return [
    `window      ${window.start} to ${window.end}, ended by ${window.endedBy}`,
    `handshakes  ${counted(coverage.events, 'hello')} of ${counted(processes, 'process', 'processes')}`,
    ...(reconciliation
      ? [
          `seen        ${reconciliation.seen} = ${reconciliation.kept} kept + ${reconciliation.filtered} filtered + ${reconciliation.lost} lost`,
        ]
      : recovered
        ? ['seen        not known: killed, the capture could not count to its end']
        : []),
    `losses      ${losses.length === 0 ? 'none' : losses.join(', ')}`,
    `incomplete  ${counted(coverage.hellosTruncated, 'hello')} cut short, ${coverage.hellosWithoutProcess} without a process`,
    `not seen    ${connections(coverage.socketsOlderThanWindow)} older than the window, ${connections(coverage.connectionsWithoutHello)} without a hello`,
    ...blindSpots.olderLines().map((line) => `older       ${line}`),
    ...blindSpots.ownerlessLines().map((line) => `no process  ${line}`),
    ...(recovered
      ? [`recovered   ${recovered.recordsKept} records; ${recovered.reason ?? ''} (${recovered.brokeAt ?? 'end'})`]
      : []),
    ...(coverage.redacted > 0 ? [`redacted    ${coverage.redacted} arguments and variables`] : []),
    ...coverage.kernelFeaturesMissing.map((feature) => `missing     ${feature}`),
    ...coverage.limits.map((limit) => `limit       ${limit}`),
    ...coverage.notes.map((note) => `note        ${note}`),
    ...hits.slice(0, SHOWN_HITS).map(hitLine),
    ...(hits.length > SHOWN_HITS ? [`hit         and ${hits.length - SHOWN_HITS} more: tlsnap match tells all`] : []),
    `signed by   ${signer.fingerprint} (${signer.source === 'one-time' ? 'one-time key' : signer.source})`,
    `snapshot    ${path}`,
    `manifest    SHA-256 ${manifestSha256}`,
  ];
}

function connections(count: number | null | undefined): string {
  return counted(count ?? 0, 'connection');
}

function hitLine({ confidence, indicator, process, serverName }: Hit): string {
  const who = process ? `${process.comm ?? '?'} (${process.pid ?? '?'})` : 'unknown process';
  return `hit         ${confidence}: ${indicator.type} ${indicator.value} ${indicator.description} in ${who} ${serverName ?? ''}`.trimEnd();
}

/** The rest is for a terminal of its own. */
const SHOWN_HITS = 10;
