import { printable } from '../terminal.js';
import type { CheckResult, Verification, VerifiedSigner } from './verification.js';

/** A verification as a block of text for a terminal; `limit` findings of each check are told. */
export function verificationText(verification: Verification, limit: number): string {
  const { snapshot, ok, checks, signer, manifestSha256, notes } = verification;
  return [
    `${printable(snapshot)}: ${ok ? 'verified' : 'NOT VERIFIED'}`,
    '',
    ...checks.flatMap((check) => checkLines(check, limit)),
    '',
    `manifest  ${manifestSha256 ?? 'none'}`,
    `signer    ${signer ? signerText(signer) : 'unknown'}`,
    ...(signer?.principals?.length ? [`          ${printable(signer.principals.join(', '))}`] : []),
    ...notes.map((note) => `note      ${printable(note)}`),
  ].join('\n');
}

function checkLines({ check, ok, summary, findings, findingCount }: CheckResult, limit: number): string[] {
  const told = findings
    .slice(0, limit)
    .map(({ place, problem }) => `          ${printable(place)}: ${printable(problem)}`);
  const untold = findingCount - told.length;
  return [
    `${ok ? 'ok  ' : findingCount > 0 ? 'FAIL' : '--  '}  ${check.padEnd(12)}  ${printable(summary)}`,
    ...told,
    ...(untold > 0 ? [`          and ${untold} more`] : []),
  ];
}

function signerText({ type, fingerprint, source, comment }: VerifiedSigner): string {
  const kind =
    source && { file: 'key file', agent: 'key in an agent', 'one-time': 'key made for this snapshot' }[source];
  const about = [kind, comment].filter((part) => part !== null).join(', ');
  return `${type} ${fingerprint}${about === '' ? '' : ` (${printable(about)})`}`;
}
