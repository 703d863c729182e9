import type { Finding } from '../../analysis/finding.js';
import { type ComparedFeeds, feedGaps } from '../../intel/feed-gaps.js';
import type { Hit } from '../../intel/hit.js';
import { formatEndpoint } from '../../snapshot/address-text.js';
import type { Snapshot } from '../../snapshot/reader.js';
import type { Fingerprint } from '../../snapshot/schema/fingerprint.js';
import type { Handshake } from '../../snapshot/schema/handshake.js';
import type { Socket } from '../../snapshot/schema/socket.js';
import { type MarkedBatch, NO_HITS, type Renderer } from '../renderer.js';
import { brief, caseFacts, clock } from './case-facts.js';
import { coverageLines } from './coverage-lines.js';
import { type ChartLibrary, pageDocument } from './document.js';
import { FingerprintCounts } from './fingerprint-counts.js';
import { HelloGroups } from './hello-groups.js';
import { Histogram } from './histogram.js';
import { count, KeptRows, shown, shownOrNull } from './kept-rows.js';
import type { Cell, Figure, PageData, Table, TableColumn } from './page-data.js';
import { ProcessNodes } from './process-nodes.js';

export interface PageOptions {
  readonly chart: ChartLibrary;
  readonly findings: readonly Finding[];
  /** Whether feeds were compared at all. */
  readonly compared: boolean;
}

/** One page that needs nothing else, for people: a bounded part of the snapshot, and word of what was left out. */
export function htmlRenderer(snapshot: Snapshot, options: PageOptions): Renderer {
  return new Page(snapshot, options);
}

class Page implements Renderer {
  readonly members = ['handshakes', 'fingerprints', 'processes', 'sockets'] as const;
  readonly shows = ['handshakes', 'processes'] as const;
  readonly #snapshot: Snapshot;
  readonly #options: PageOptions;
  readonly #histogram: Histogram;
  readonly #groups = new HelloGroups();
  readonly #prints = new FingerprintCounts();
  readonly #processes = new ProcessNodes();
  readonly #handshakes = new KeptRows(3000);
  readonly #hits = new KeptRows(2000);
  readonly #map = new KeptRows(1000);
  readonly #sockets = new KeptRows(2000);
  /** The day of the whole window, which need not be repeated; empty where it has several. */
  readonly #day: string;
  readonly #counts = { handshakes: 0, processes: 0, hits: 0 };

  constructor(snapshot: Snapshot, options: PageOptions) {
    this.#snapshot = snapshot;
    this.#options = options;
    const { start, end } = snapshot.manifest.window;
    this.#day = start.slice(0, 10) === end.slice(0, 10) ? start.slice(0, 10) : '';
    this.#histogram = new Histogram(start, end);
  }

  head(): string {
    return '';
  }

  rows(batch: MarkedBatch): string {
    const { hits } = batch;
    batch.rows.forEach((_, at) => {
      const found = hits?.[at] ?? NO_HITS;
      this.#counts.hits += found.length;
      for (const hit of found) this.#hits.add(() => hitRow(hit, this.#day), hit.confidence !== 'low');
    });
    if (batch.member === 'handshakes') batch.rows.forEach((row, at) => this.#handshake(row, hits?.[at] ?? NO_HITS));
    if (batch.member === 'fingerprints') for (const row of batch.rows) this.#map.add(() => mapRow(row, this.#day));
    if (batch.member === 'sockets') for (const row of batch.rows) this.#sockets.add(() => socketRow(row));
    if (batch.member === 'processes') {
      this.#counts.processes += batch.rows.length;
      batch.rows.forEach((row, at) => {
        const hellos = this.#groups.get(row.pid, row.startTimeNs);
        this.#processes.add(row, hellos, hits?.[at]?.length ?? 0);
      });
    }
    return '';
  }

  *end({ feeds, notCompared }: ComparedFeeds): Generator<string> {
    const named = feeds.map((feed) => ({ ...feed, path: fileName(feed.path) }));
    yield* pageDocument(this.#data(feedGaps({ feeds: named, notCompared })), this.#options.chart);
  }

  #handshake(row: Handshake, hits: readonly Hit[]): void {
    this.#counts.handshakes += 1;
    this.#histogram.add(row, hits.length > 0);
    this.#groups.add(row, hits.length);
    this.#prints.add(row, hits.length > 0);
    this.#handshakes.add(() => handshakeRow(row, hits, this.#day), hits.length > 0 || row.error !== null);
  }

  #data(gaps: readonly string[]): PageData {
    const { manifest } = this.#snapshot;
    const { window, tool, host } = manifest;
    return {
      title: `TLS handshakes ${host ? `on ${shown(host.hostname)}` : 'of a capture file'}`,
      subtitle: `${brief(window.start)} to ${brief(window.end)} UTC`,
      figures: this.#figures(gaps),
      facts: caseFacts(this.#snapshot),
      coverage: coverageLines(manifest),
      timeline: this.#histogram.timeline(),
      tree: this.#processes.tree(this.#groups),
      tables: this.#tables(gaps),
      footer: [
        `Snapshot made by ${shown(tool.name)} ${shown(tool.version)}. This page is derived from it and proves nothing by itself: tlsnap verify checks the snapshot.`,
        'Names of processes, servers and files were chosen by whoever ran or named them; characters that cannot be seen are written as escapes such as \\x1b and \\u{202e}. Times are UTC.',
      ],
    };
  }

  /** `gaps` is what of the feeds was not compared. */
  #figures(gaps: readonly string[]): Figure[] {
    const { findings, compared } = this.#options;
    const { coverage } = this.#snapshot.manifest;
    const lost = Object.values(coverage.lossesByKind).reduce((sum, each) => sum + each, 0);
    const { handshakes, processes, hits } = this.#counts;
    return [
      { label: 'hellos', value: count(handshakes), tone: 'plain' },
      { label: 'processes', value: count(processes), tone: 'plain' },
      { label: 'client fingerprints', value: this.#prints.distinct, tone: 'plain' },
      { label: 'findings', value: count(findings.length), tone: findings.length > 0 ? 'warn' : 'good' },
      compared
        ? { label: 'feed hits', value: count(hits), tone: hits > 0 ? 'bad' : gaps.length > 0 ? 'warn' : 'good' }
        : { label: 'feed hits', value: 'not compared', tone: 'plain' },
      { label: 'events lost', value: count(lost), tone: lost > 0 ? 'bad' : 'good' },
    ];
  }

  #tables(gaps: readonly string[]): Table[] {
    const { findings } = this.#options;
    const kept = findings.slice(0, MAX_FINDINGS);
    const findingNote =
      findings.length === 0
        ? 'Nothing stood out. That is a statement about what was recorded; see coverage.'
        : findings.length > kept.length
          ? `${count(findings.length - kept.length)} more findings are left out of this page.`
          : null;
    return [
      table('findings', 'Findings', FINDING_COLUMNS, kept.map(findingRow), findingNote),
      table('hits', 'Feed hits', HIT_COLUMNS, this.#hits.rows.sort(byConfidence), this.#hitNote(gaps)),
      table('handshakes', 'Hellos', HANDSHAKE_COLUMNS, this.#handshakes.rows, this.#handshakes.note('hellos')),
      table('fingerprints', 'Fingerprints', PRINT_COLUMNS, this.#prints.rows(), this.#prints.note()),
      table('map', "Kernel's map of fingerprints", MAP_COLUMNS, this.#map.rows, this.#map.note('entries')),
      table('sockets', 'Sockets', SOCKET_COLUMNS, this.#sockets.rows, this.#sockets.note('sockets')),
    ];
  }

  #hitNote(gaps: readonly string[]): string | null {
    if (!this.#options.compared) return 'No feed was compared: report --feed FILE does.';
    const left =
      gaps.length === 0 ? null : `Not all of the feeds was compared: ${gaps.map((gap) => shown(gap)).join('; ')}.`;
    if (this.#counts.hits > 0) return [this.#hits.note('hits'), left].filter((part) => part !== null).join(' ') || null;
    return left === null
      ? 'Nothing in the snapshot is named by the feeds. That is a statement about what was recorded; see coverage.'
      : `Nothing in the snapshot is named by what was compared of the feeds; see coverage too. ${left}`;
  }
}

function table(
  id: string,
  title: string,
  columns: readonly TableColumn[],
  rows: readonly Cell[][],
  note: string | null,
): Table {
  return { id, title, columns, rows, note };
}

function findingRow({ confidence, summary, why, pid, processes, handshakes }: Finding): Cell[] {
  return [confidence, shown(summary, 600), shown(why.join('; '), 1000), pid, processes, handshakes];
}

function hitRow({ confidence, time, indicator, feed, process, serverName, flow, why }: Hit, day: string): Cell[] {
  const { type, value, description, line } = indicator;
  return [
    confidence,
    time && clock(time, day),
    `${type} ${shown(value)}`,
    shownOrNull(description),
    process?.pid == null ? null : `${shown(process.exe ?? process.comm ?? '?')} (${process.pid})`,
    shownOrNull(serverName ?? (flow && formatEndpoint(flow.dst, flow.dstPort))),
    shown(why.join('; '), 600),
    shown(`${fileName(feed)}, line ${line}`),
  ];
}

function handshakeRow(row: Handshake, hits: readonly Hit[], day: string): Cell[] {
  const { seq, time, kind, flow, process, tls, fingerprints, error } = row;
  return [
    seq,
    clock(time, day),
    tls?.helloRetryRequest ? 'server, retry' : kind,
    process?.pid == null ? null : `${shown(process.comm ?? '?')} (${process.pid})`,
    shown(formatEndpoint(flow.src, flow.srcPort)),
    shown(formatEndpoint(flow.dst, flow.dstPort)),
    shownOrNull(tls?.serverName),
    hits.length > 0 ? `${hits.length} ${hits.length === 1 ? 'hit' : 'hits'}` : shownOrNull(error),
    shownOrNull(tls?.version),
    shownOrNull(fingerprints?.ja4 ?? null),
    shownOrNull(fingerprints?.ja3 ?? fingerprints?.ja3s ?? null),
  ];
}

function mapRow(
  { pid, comm, side, ja3, ja3Sha256, count: times, firstTime, lastTime }: Fingerprint,
  day: string,
): Cell[] {
  return [pid, shownOrNull(comm), side, ja3, ja3Sha256, times, clock(firstTime, day), clock(lastTime, day)];
}

function socketRow({ when, proto, state, local, remote, owners }: Socket): Cell[] {
  const names = owners.slice(0, 5).map(({ comm, pid }) => `${comm ?? '?'} (${pid})`);
  return [
    when,
    proto,
    state,
    shown(formatEndpoint(local.address, local.port)),
    shownOrNull(remote && formatEndpoint(remote.address, remote.port)),
    names.length === 0 ? null : shown(names.join(', ')),
  ];
}

function fileName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** The most certain first, and of equally certain ones in the order they came. */
function byConfidence([one]: readonly Cell[], [other]: readonly Cell[]): number {
  return CONFIDENCES.indexOf(String(one)) - CONFIDENCES.indexOf(String(other));
}

function columns(kinds: Readonly<Record<string, TableColumn['kind']>>): readonly TableColumn[] {
  return Object.entries(kinds).map(([title, kind]) => ({ title, kind }));
}

const MAX_FINDINGS = 500;
const CONFIDENCES = ['high', 'medium', 'low'];
const FINDING_COLUMNS = columns({
  ...{ Confidence: 'tone', Finding: 'prose', Why: 'prose', Pid: 'number', Processes: 'number', Hellos: 'number' },
});
const HIT_COLUMNS = columns({
  ...{ Confidence: 'tone', Time: 'time', Indicator: 'mono', 'The feed says': 'text', Process: 'text' },
  ...{ Towards: 'text', Why: 'prose', Feed: 'text' },
});
const HANDSHAKE_COLUMNS = columns({
  ...{ Seq: 'number', Time: 'time', Hello: 'text', Process: 'text', From: 'mono', To: 'mono' },
  ...{ 'Server name': 'text', Remarks: 'text', Version: 'text', JA4: 'mono', 'JA3 / JA3S': 'mono' },
});
const PRINT_COLUMNS = columns({
  ...{ Side: 'text', Fingerprint: 'mono', 'JA3 / JA3S': 'mono', Hellos: 'number', Processes: 'number' },
  ...{ 'Programs, e.g.': 'text', 'Server names, e.g.': 'text', Hit: 'text' },
});
const MAP_COLUMNS = columns({
  ...{ Pid: 'number', Process: 'text', Side: 'text', JA3: 'mono', 'JA3 SHA-256': 'mono', Count: 'number' },
  ...{ First: 'time', Last: 'time' },
});
const SOCKET_COLUMNS = columns({
  ...{ 'At window': 'text', Protocol: 'text', State: 'text', Local: 'mono', Remote: 'mono', Owners: 'text' },
});
