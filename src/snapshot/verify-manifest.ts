import { folderName } from './file-name.js';
import { HEAD_ORDER } from './members.js';
import type { Manifest } from './schema/manifest.js';
import { memberTime } from './tar-header.js';
import { isMoment } from './time-text.js';
import type { Findings } from './verification.js';
import type { ContentVerifier } from './verify-content.js';

/** Compares what the manifest says with what was met: members and digests, order, coverage, chain. */
export function checkManifest(manifest: Manifest, content: ContentVerifier, findings: Findings): void {
  checkWindow(manifest, findings);
  checkMembers(manifest, content, findings);
  checkContainer(manifest, content, findings);
  checkSource(manifest, content, findings);
  checkCoverage(manifest, content, findings);
  checkChain(manifest, findings);
}

function checkWindow({ window }: Manifest, findings: Findings): void {
  for (const end of ['start', 'end'] as const) {
    if (isMoment(window[end])) continue;
    findings.add('manifest', `window.${end}`, `${window[end]} is no time that a clock shows`);
  }
}

function checkMembers({ members }: Manifest, content: ContentVerifier, findings: Findings): void {
  for (const { path, size, sha256 } of members) {
    const seen = content.members.get(path);
    if (!seen && content.complete) findings.add('members', path, 'is missing');
    if (!seen) continue;
    if (seen.sha256 !== sha256)
      findings.add('members', path, `has SHA-256 ${seen.sha256}, the manifest says ${sha256}`);
    if (seen.size !== size) findings.add('members', path, `has ${seen.size} bytes, the manifest says ${size}`);
  }
  const listed = new Set(members.map(({ path }) => path));
  for (const path of content.members.keys()) {
    if (!listed.has(path) && !HEAD.includes(path)) findings.add('members', path, 'is not in the manifest');
  }
  if (content.complete) findings.passed('members', `${members.length} members with the digests of the manifest`);
}

function checkContainer(manifest: Manifest, content: ContentVerifier, findings: Findings): void {
  const body = manifest.members.map(({ path }) => path);
  const order = [...content.members.keys()].join('\n');
  // To a file the manifest goes first, to stdout last; half a file is a prefix of either.
  const orders = [[...HEAD_ORDER, ...body].join('\n'), [...body, ...HEAD_ORDER].join('\n')];
  if (content.complete && !orders.includes(order)) {
    findings.add('container', 'the order of members', 'is not that of a snapshot');
  }
  const expected = folderName(manifest);
  if (content.folder !== expected) {
    findings.add('container', `the folder ${content.folder ?? ''}`, `should be ${expected} by the manifest`);
  }
  const mtime = memberTime(manifest.window.end);
  for (const member of content.members.values()) {
    if (member.mtime !== mtime) findings.add('container', member.path, 'its time is not the end of the window');
  }
}

function checkSource({ source }: Manifest, { timeline }: ContentVerifier, findings: Findings): void {
  if (source !== 'pcap' || timeline.observed === undefined) return;
  const place = `handshakes.ndjson seq ${timeline.observed}`;
  findings.add('timeline', place, 'has a process, role or kernel, which no imported capture shows');
}

function checkCoverage({ coverage }: Manifest, content: ContentVerifier, findings: Findings): void {
  const { events, reconciliation: sums } = coverage;
  const { rows, truncated, ownerless, stopped } = content.timeline;
  const whole = content.complete && !stopped;
  if (whole && events !== rows) {
    findings.add('coverage', 'coverage.events', `says ${events}, and handshakes.ndjson has ${rows}`);
  }
  // Of other rows than these, the sums are others too.
  if (whole && events === rows) {
    for (const [field, count] of [
      ['hellosTruncated', truncated],
      ['hellosWithoutProcess', ownerless],
    ] as const) {
      if (coverage[field] === count) continue;
      findings.add('coverage', `coverage.${field}`, `says ${coverage[field]}, and handshakes.ndjson has ${count}`);
    }
  }
  if (sums && sums.seen !== sums.kept + sums.filtered + sums.lost) {
    findings.add('coverage', 'coverage.reconciliation', 'seen is not kept + filtered + lost');
  }
  if (sums && sums.kept !== events)
    findings.add('coverage', 'coverage.reconciliation.kept', `is not events (${events})`);
  const lost = Object.values(coverage.lossesByKind).reduce((sum, count) => sum + count, 0);
  findings.passed(
    'coverage',
    `${events} events, ${lost} losses recorded${sums ? '; seen = kept + filtered + lost' : ''}`,
  );
}

function checkChain({ chain, source }: Manifest, findings: Findings): void {
  if (source === 'recovered' && !chain) findings.add('chain', 'chain', 'is missing, though a spool was recovered');
  findings.passed(
    'chain',
    chain ? `${chain.records} spool records, head ${chain.head}` : `none, as source is ${source}`,
  );
}

const HEAD: readonly string[] = HEAD_ORDER;
