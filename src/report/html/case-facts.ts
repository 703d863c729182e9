import type { Snapshot } from '../../snapshot/reader.js';
import { shown } from './kept-rows.js';
import type { Fact } from './page-data.js';

/** Whose evidence it is, and how it was made. */
export function caseFacts({ manifest, manifestSha256, name }: Snapshot): Fact[] {
  const { case: subject, host, window, signer, input, tool } = manifest;
  const facts: [string, string | null | undefined, boolean?][] = [
    ['Case', subject.case],
    ['Evidence', subject.evidence],
    ['Examiner', subject.examiner],
    ['Description', subject.description],
    ['Host', host?.hostname],
    ['System', host && [host.os, host.kernel, host.architecture].filter((part) => part !== null).join(', ')],
    ['Machine id', host?.machineId, true],
    ['Window', `${brief(window.start)} to ${brief(window.end)} UTC`],
    ['Ended by', window.endedBy],
    ['Source', SOURCES[manifest.source]],
    ['Input', input?.path],
    ['Input SHA-256', input?.sha256, true],
    ['Snapshot', name],
    ['Manifest SHA-256', manifestSha256, true],
    ['Signed with', `${signer.type}, ${signer.source === 'one-time' ? 'a one-time key' : signer.source}`],
    ['Key', signer.fingerprint, true],
    ['Made by', `${tool.name} ${tool.version}`],
  ];
  return facts
    .filter(([, value]) => value != null && value !== '')
    .map(([label, value, mono]) => ({ label, value: shown(value ?? '', 1000), ...(mono && { mono }) }));
}

/** `2026-11-22 09:20:08.123`. */
export function brief(time: string): string {
  return `${time.slice(0, 10)} ${time.slice(11, 23)}`;
}

/** The same without its day, if that is `day`. */
export function clock(time: string, day: string): string {
  return time.slice(0, 10) === day ? time.slice(11, 23) : brief(time);
}

const SOURCES = {
  live: 'live capture',
  recorder: 'flight recorder',
  pcap: 'imported capture file',
  recovered: 'recovered capture',
} as const;
