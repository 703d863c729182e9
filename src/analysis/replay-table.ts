import { formatEndpoint } from '../snapshot/address-text.js';
import { exitText } from '../snapshot/exit-text.js';
import { padded, printable, shortened } from '../terminal.js';
import type { HelloSeen, ReplayEvent, ReplayOutput, ReplayProcess } from './replay-event.js';

/**
 * Rows in columns of a width that is set before the first row, because the timeline may have no end. On a terminal
 * what is too long is shortened; elsewhere it pushes the row to the right, and nothing is lost.
 */
export class ReplayTable implements ReplayOutput {
  readonly head: string;
  readonly #widths: Readonly<Record<Column, number>>;
  readonly #shorten: boolean;
  readonly #color: boolean;
  #day = '';

  constructor(width: number | null, color: boolean) {
    this.#widths = widthsFor(width ?? WIDE);
    this.#shorten = width !== null;
    this.#color = color;
    this.head = this.#line(
      COLUMNS.map((column) => (column === 'time' ? 'time (UTC)' : column)),
      BOLD,
    );
  }

  text(events: readonly ReplayEvent[]): string {
    let text = '';
    for (const event of events) {
      const day = event.time.slice(0, 10);
      if (day !== this.#day) text += this.#styled(`${(this.#day = day)}\n`, DIM);
      for (const [cells, style] of rowsOf(event)) {
        text += this.#line([event.time.slice(11, 23), ...cells], style);
      }
    }
    return text;
  }

  /** The last cell of a row has the columns behind it too. */
  #line(cells: readonly string[], style: string): string {
    const texts = cells.map((text, at) => {
      const cell = printable(text);
      const last = at === cells.length - 1;
      const width = last ? this.#widthFrom(at) : this.#widthOf(at);
      const shown = this.#shorten ? shortened(cell, width) : cell;
      return last ? shown : padded(shown, width);
    });
    return this.#styled(`${texts.join(' '.repeat(GAP))}\n`, style);
  }

  #widthFrom(first: number): number {
    const widths = COLUMNS.slice(first).map((_, at) => this.#widthOf(first + at));
    return widths.reduce((sum, width) => sum + GAP + width);
  }

  #widthOf(at: number): number {
    return this.#widths[COLUMNS[at] ?? 'check'];
  }

  #styled(line: string, style: string): string {
    return this.#color && style !== '' ? `\u001b[${style}m${line.slice(0, -1)}\u001b[0m\n` : line;
  }
}

type Row = readonly [cells: readonly string[], style: string];

function rowsOf(event: ReplayEvent): readonly Row[] {
  switch (event.type) {
    case 'process':
      return [[['process', named(event.process), command(event.process)], DIM]];
    case 'exit':
      return [[['exit', named(event.process), event.exitCode === null ? '' : exitText(event.exitCode)], DIM]];
    case 'handshake':
      return [[helloCells(event), event.kind === 'client' ? '' : CYAN]];
    case 'differs':
      return event.differences.map(({ field, recorded, derived }) => {
        const problem = `${field}: recorded ${JSON.stringify(recorded)}, but it is ${JSON.stringify(derived)}`;
        return [['DIFFERS', `seq ${event.seq}`, problem], RED];
      });
    case 'match': {
      const { confidence, indicator, feed, process } = event.hit;
      const what = `${indicator.description} (${feed}, line ${indicator.line})`.trimStart();
      return [[['MATCH', process ? named(process) : '', what, indicator.value, confidence], RED]];
    }
  }
}

function helloCells(event: HelloSeen): string[] {
  const { kind, role, flow, process, tls, fingerprints, error } = event;
  const [src, dst] = [formatEndpoint(flow.src, flow.srcPort), formatEndpoint(flow.dst, flow.dstPort)];
  const way = role === null ? `${src} > ${dst}` : role === kind ? `> ${dst}` : `< ${src}`;
  const facts = [tls?.serverName, way, tls?.version, tls?.alpn.join(' '), error && `error: ${error}`];
  const check = event.asRecorded && event.asInKernel !== false ? 'ok' : 'DIFFERS';
  return [
    kind === 'client' ? (event.afterRetry ? 'client again' : 'client') : tls?.helloRetryRequest ? 'retry' : 'server',
    process ? named(process) : '',
    facts.filter(Boolean).join('  '),
    fingerprints?.ja4 ?? fingerprints?.ja3s ?? '-',
    event.asInKernel ? `${check} kernel` : check,
  ];
}

function named({ pid, comm, exe }: Pick<ReplayProcess, 'comm' | 'exe'> & { pid: number | null }): string {
  return pid === null ? 'unknown' : `${comm ?? exe ?? '?'} (${pid})`;
}

function command({ cmdline, exe, exeDeleted, exeMemfd }: ReplayProcess): string {
  const file = exe === null ? '' : `${exe}${exeMemfd ? ' (memfd)' : exeDeleted ? ' (deleted)' : ''}`;
  const words = cmdline?.slice(1).join(' ') ?? '';
  return [file, words].filter((part) => part !== '').join(' ');
}

/** The last three share what a terminal has, the fingerprint no more than a JA4 needs. */
function widthsFor(width: number): Record<Column, number> {
  const free = Math.max(3 * NARROWEST, width - FIXED.time - FIXED.event - FIXED.check - 5 * GAP);
  const fingerprint = Math.min(JA4_LENGTH, Math.max(NARROWEST, Math.floor(free * 0.36)));
  const process = Math.min(24, Math.max(NARROWEST, Math.floor(free * 0.25)));
  return { ...FIXED, process, detail: free - process - fingerprint, fingerprint };
}

const COLUMNS = ['time', 'event', 'process', 'detail', 'fingerprint', 'check'] as const;
type Column = (typeof COLUMNS)[number];
const FIXED = { time: 12, event: 7, check: 9 };
const GAP = 2;
const JA4_LENGTH = 36;
const NARROWEST = 6;
/** What a table has that goes to no terminal. */
const WIDE = 140;
const BOLD = '1';
const DIM = '2';
const RED = '1;31';
const CYAN = '36';
