import { counted } from '../counted.js';
import { csvLines, type CsvCell } from '../csv.js';
import { printable, table } from '../terminal.js';
import type { ComparedFinding, Diff, Difference } from './diff.js';
import type { Evidence } from './distinct-values.js';

export const DIFF_FORMATS = ['table', 'csv', 'json'] as const;

/** A line for each finding and each difference; on a terminal with colours. Ends with a line feed unless it is empty. */
export function diffTable({ findings, differences }: Diff, color: boolean): string {
  const rows = findings.map(findingRow);
  const blocks = [
    ...(rows.length > 0 ? [`${painted(FINDING_COLUMNS, rows, color)}\n\n${reasons(findings)}`] : []),
    ...(differences.length > 0 ? [painted(DIFFERENCE_COLUMNS, differences.flatMap(differenceRows), color)] : []),
  ];
  return blocks.map((block) => `${block}\n`).join('\n');
}

export function diffCsv({ findings, differences }: Diff): string {
  return csvLines([CSV_COLUMNS, ...findings.map(csvFinding), ...differences.map(csvDifference)]);
}

/** The lines that say what was compared with what, and what could not be. */
export function diffReport(diff: Diff): string[] {
  const { before, after, differences, findings, hits, notCompared, doubts } = diff;
  const count = (wanted: Difference['change']) => differences.filter(({ change }) => change === wanted).length;
  const found = (wanted: ComparedFinding['status']) => findings.filter(({ status }) => status === wanted).length;
  const side = ({ path, host, window, handshakes }: Diff['before']) =>
    `${path}: ${host ?? 'no host'}, ${window.start.slice(0, 19)}Z to ${window.end.slice(0, 19)}Z, ${counted(handshakes, 'handshake')}`;
  return [
    differences.length === 0 && found('new') + found('gone') === 0
      ? 'no difference'
      : `${count('new')} new, ${count('gone')} gone, ${count('changed')} changed; ${counted(found('new'), 'new finding')}` +
        (found('gone') > 0 ? `, ${found('gone').toLocaleString('en')} gone` : ''),
    `before  ${side(before)}`,
    `after   ${side(after)}`,
    ...(hits.total > 0 ? [`${counted(hits.total, 'feed hit')} in ${after.path}`] : []),
    ...notCompared.map(({ category, reason }) => `not compared: ${category}: ${reason}`),
    ...doubts.map((doubt) => `note: ${doubt}`),
  ];
}

function painted(head: readonly string[], rows: readonly (readonly (string | number | null)[])[], color: boolean) {
  const [title = '', ...lines] = table(head, rows, { color }).split('\n');
  if (!color) return [title, ...lines].join('\n');
  const paint = (line: string): string => {
    const sign = COLORS[line[0] ?? ''];
    return sign === undefined ? line : `\u001b[${sign}m${line}\u001b[0m`;
  };
  return [title, ...lines.map(paint)].join('\n');
}

function findingRow({ status, kind, confidence, summary, exe, comm, pid, seqs, handshakes }: ComparedFinding) {
  const who = exe ?? comm ?? '?';
  const where = `${handshakes} (${seqs.length > 0 ? `seq ${seqs.slice(0, 3).join(', ')}` : 'none'})`;
  return [FINDING_SIGNS[status], confidence, kind, summary, pid === null ? who : `${who} (${pid})`, where];
}

/** Why, below the table: reasons are sentences, and do not fit into columns. */
function reasons(findings: readonly ComparedFinding[]): string {
  const lines = findings.map(({ kind, exe, comm, why }) => `  ${kind} ${exe ?? comm ?? '?'}: ${why.join('; ')}`);
  return lines.map((line) => `${printable(line)}\n`).join('');
}

function differenceRows({ change, category, value, before, after, evidence, count }: Difference) {
  const [was, is] = [new Set(before), new Set(after)];
  const where = place(evidence);
  return [
    [SIGNS[change], category, value, where, count],
    ...(after ?? []).filter((one) => !was.has(one)).map((one) => ['+', '', `  now ${one}`, '', '']),
    ...(before ?? []).filter((one) => !is.has(one)).map((one) => ['-', '', `  was ${one}`, '', '']),
  ];
}

function place({ seq, pid, exe, comm }: Evidence): string {
  const who = pid === null ? null : `${exe ?? comm ?? '?'} (${pid})`;
  return [seq === null ? null : `seq ${seq}`, who].filter((part) => part !== null).join(', ');
}

function csvFinding(finding: ComparedFinding): CsvCell[] {
  const { status, kind, summary, key, seqs, handshakes, pid, startTimeNs, comm, exe, confidence, why } = finding;
  return [
    ...[status, 'finding', `${kind}: ${summary}`, null, null, seqs.join(' '), null, pid, startTimeNs, comm, exe],
    ...[handshakes, confidence, why.join('; '), key],
  ];
}

function csvDifference({ change, category, value, before, after, evidence, count }: Difference): CsvCell[] {
  const { seq, time, pid, startTimeNs, comm, exe } = evidence;
  return [
    ...[change, category, value, before && JSON.stringify(before), after && JSON.stringify(after)],
    ...[seq, time, pid, startTimeNs, comm, exe, count, null, null, null],
  ];
}

const FINDING_COLUMNS = ['', 'confidence', 'finding', 'what', 'who', 'handshakes'];
const DIFFERENCE_COLUMNS = ['', 'what', 'value', 'first seen', 'times'];
const CSV_COLUMNS = [
  ...['change', 'category', 'value', 'before', 'after', 'seq', 'time', 'pid', 'start_time_ns', 'comm', 'exe'],
  ...['count', 'confidence', 'why', 'key'],
];
const FINDING_SIGNS = { new: '!', same: ' ', gone: '-' } as const;
const SIGNS = { new: '+', gone: '-', changed: '~' } as const;
const COLORS: Readonly<Record<string, string>> = { '!': '1;31', '+': '32', '-': '31', '~': '33' };
