import { judge, type HitContext, type Remark } from './confidence.js';
import type { ComparableHandshake, ComparableProcess, Hit } from './hit.js';
import type { ComparableType, Indicator } from './indicator.js';
import type { IndexEntry, IndicatorIndex } from './indicator-index.js';
import type { Ja4Form } from './ja4-forms.js';
import { PendingPairs } from './pairs.js';

/** The forms of JA4 beside the specified one; given in, because deriving them needs the raw hello. */
export type Ja4Forms = (handshake: ComparableHandshake) => readonly Ja4Form[];

/** Compares rows, in the order of the timeline, with an index. Keeps only what pairs need. */
export class Matcher {
  readonly #index: IndicatorIndex;
  readonly #forms: Ja4Forms;
  readonly #pending: PendingPairs;
  /** The first eight characters of all JA4 indicators: a hello with others cannot hit in any form. */
  readonly #ja4Heads: ReadonlySet<string>;

  constructor(index: IndicatorIndex, options: { forms?: Ja4Forms; pending?: PendingPairs } = {}) {
    this.#index = index;
    this.#forms = options.forms ?? (() => []);
    this.#pending = options.pending ?? new PendingPairs();
    this.#ja4Heads = new Set(JA4_TYPES.flatMap((type) => [...index.values(type)].map(headOf)));
  }

  /** Connections with a part of a pair that had to be forgotten. */
  get forgottenPairs(): number {
    return this.#pending.forgotten;
  }

  /** The hits of one handshake. Events of one snapshot must come in the order of their timeline. */
  handshake(row: ComparableHandshake): readonly Hit[] {
    if (row.kind === 'client' && !row.hello.afterRetry) this.#pending.restart(row);
    const hits: Hit[] = [];
    const { fingerprints } = row;
    if (fingerprints) {
      for (const type of FINGERPRINT_TYPES) {
        const value = fingerprints[type];
        if (value !== undefined) this.#compare(row, type, value, type, null, hits);
      }
      if (fingerprints.ja4 !== undefined && this.#ja4Heads.has(headOf(fingerprints.ja4))) {
        for (const { name, type, value } of this.#forms(row)) {
          if (value !== fingerprints[type]) this.#compare(row, type, value, type, name, hits);
        }
      }
    }
    if (row.tls?.serverName && row.kind === 'client') this.#compareName(row, row.tls.serverName, hits);
    if (this.#index.has('ip')) {
      this.#compare(row, 'ip', row.flow.dst, 'flow.dst', null, hits);
      if (row.flow.src !== row.flow.dst) this.#compare(row, 'ip', row.flow.src, 'flow.src', null, hits);
    }
    return hits.length === 0 ? NO_HITS : hits;
  }

  /** The hits of one process: its executable's hash. */
  process(row: ComparableProcess): readonly Hit[] {
    if (row.exeSha256 === null) return NO_HITS;
    const found = this.#index.find('sha256', row.exeSha256);
    if (!found) return NO_HITS;
    const remarks: Remark[] =
      row.exeHashedFrom === 'path'
        ? [{ text: 'the process was gone: the file now at its path was hashed', effect: 'lower' }]
        : [];
    const { pid, startTimeNs, comm, exe } = row;
    return found.alone.map((indicator) => ({
      ...hitOf(indicator, { time: null, ja3: null, ja4: null, remarks }),
      time: null,
      matched: { field: 'exeSha256', value: indicator.value, form: null },
      event: null,
      kind: null,
      serverName: null,
      process: { pid, startTimeNs, comm, exe },
      flow: null,
    }));
  }

  /** The name itself, and each name above it as a domain. */
  #compareName(row: ComparableHandshake, serverName: string, hits: Hit[]): void {
    if (!this.#index.has('serverName') && !this.#index.has('domain')) return;
    const name = serverName.toLowerCase().replace(/\.$/, '');
    this.#compare(row, 'serverName', name, 'serverName', null, hits);
    if (!this.#index.has('domain')) return;
    for (let at = 0; at !== -1;) {
      this.#compare(row, 'domain', name.slice(at), 'serverName', null, hits);
      const dot = name.indexOf('.', at);
      at = dot === -1 ? -1 : dot + 1;
    }
  }

  #compare(
    row: ComparableHandshake,
    type: ComparableType,
    value: string,
    field: string,
    form: string | null,
    hits: Hit[],
  ): void {
    const found = this.#index.find(type, value);
    if (found) this.#take(row, found, { field, value, form }, hits);
  }

  #take(row: ComparableHandshake, found: IndexEntry, matched: Hit['matched'], hits: Hit[]): void {
    const remarks: Remark[] = [];
    if (matched.form !== null) remarks.push({ text: `equal in the form ${matched.form}`, effect: 'none' });
    if (row.hello.afterRetry) {
      remarks.push({ text: 'the second hello of its connection, after a HelloRetryRequest', effect: 'none' });
    }
    const context: HitContext = {
      time: row.time,
      ja3: row.fingerprints?.ja3 ?? null,
      ja4: row.fingerprints?.ja4 ?? null,
      remarks,
    };
    const completed = found.pairs.filter(({ pair, part }) => this.#pending.meet(row, pair, part));
    for (const indicator of [...found.alone, ...completed.map(({ pair }) => pair)]) {
      hits.push({ ...hitOf(indicator, context), matched, ...whereOf(row) });
    }
  }
}

/** The first eight characters of a JA4: transport, version, SNI and the two counts, which all forms share. */
function headOf(ja4: string): string {
  return ja4.slice(0, 8);
}

function hitOf(
  indicator: Indicator,
  context: HitContext,
): Pick<Hit, 'confidence' | 'why' | 'feed' | 'feedFormat' | 'indicator'> {
  const { type, value, line, description, firstSeen, lastSeen, listed } = indicator;
  return {
    ...judge(indicator, context),
    feed: indicator.feed.path,
    feedFormat: indicator.feed.format,
    indicator: { type, value, line, description, firstSeen, lastSeen, listed },
  };
}

function whereOf(row: ComparableHandshake): Pick<Hit, 'time' | 'event' | 'kind' | 'serverName' | 'process' | 'flow'> {
  const { seq: event, time, kind, flow } = row;
  const process = row.process && {
    pid: row.process.pid,
    startTimeNs: row.process.startTimeNs,
    comm: row.process.comm,
    exe: row.process.exe,
  };
  return { time, event, kind, serverName: row.tls?.serverName ?? null, process, flow };
}

const NO_HITS: readonly Hit[] = [];
const JA4_TYPES = ['ja4', 'ja4r'] as const;
/** Each is looked up where the feeds name any. */
const FINGERPRINT_TYPES = ['ja3', 'ja3s', 'ja4', 'ja3Sha256', 'ja4r', 'ja3String', 'ja3sString'] as const;
