import { csvLines } from '../csv.js';
import { formatEndpoint } from '../snapshot/address-text.js';
import { table } from '../terminal.js';
import type { Confidence } from './confidence.js';
import type { Hit } from './hit.js';

export const HIT_FORMATS = ['table', 'csv', 'ndjson', 'json'] as const;
export type HitFormat = (typeof HIT_FORMATS)[number];

/** Takes hits as they are found and writes them in one format. Memory is bounded, however many there are. */
export interface HitOutput {
  /** Resolves when the text was taken. */
  hits(snapshot: string, hits: readonly Hit[]): Promise<void>;
  /** Writes what could not be written hit by hit, and gives what a JSON result shall hold of the hits. */
  end(): Promise<{ hits?: readonly SnapshotHit[]; hitsLeftOut?: number }>;
}

export type SnapshotHit = Hit & { readonly snapshot: string };

/** Writes text, and waits while the reader is slow. */
export type WriteText = (text: string) => Promise<void>;

export function hitOutput(format: HitFormat, write: WriteText): HitOutput {
  switch (format) {
    case 'csv':
      return new CsvOutput(write);
    case 'ndjson':
      return new NdjsonOutput(write);
    case 'json':
      return new JsonOutput();
    case 'table':
      return new TableOutput(write);
  }
}

class NdjsonOutput implements HitOutput {
  readonly #write: WriteText;

  constructor(write: WriteText) {
    this.#write = write;
  }

  async hits(snapshot: string, hits: readonly Hit[]): Promise<void> {
    await this.#write(hits.map((hit) => `${JSON.stringify({ snapshot, ...hit })}\n`).join(''));
  }

  end(): Promise<object> {
    return Promise.resolve({});
  }
}

/** One row a hit. */
class CsvOutput implements HitOutput {
  readonly #write: WriteText;
  #headed = false;

  constructor(write: WriteText) {
    this.#write = write;
  }

  async hits(snapshot: string, hits: readonly Hit[]): Promise<void> {
    await this.#head();
    await this.#write(csvLines(hits.map((hit) => csvRow(snapshot, hit))));
  }

  async end(): Promise<object> {
    await this.#head();
    return {};
  }

  async #head(): Promise<void> {
    if (!this.#headed) await this.#write(csvLines([CSV_COLUMNS]));
    this.#headed = true;
  }
}

/** Everything in one document, and therefore not without bound. */
class JsonOutput implements HitOutput {
  readonly #kept: SnapshotHit[] = [];
  #leftOut = 0;

  hits(snapshot: string, hits: readonly Hit[]): Promise<void> {
    for (const hit of hits) {
      if (this.#kept.length < MAX_JSON_HITS) this.#kept.push({ snapshot, ...detached(hit) });
      else this.#leftOut++;
    }
    return Promise.resolve();
  }

  end(): Promise<{ hits: readonly SnapshotHit[]; hitsLeftOut: number }> {
    return Promise.resolve({ hits: this.#kept, hitsLeftOut: this.#leftOut });
  }
}

interface Group {
  readonly snapshot: string;
  readonly first: Hit;
  count: number;
}

/** One row for equal hits: the same indicator, the same program, the same reasons. */
class TableOutput implements HitOutput {
  readonly #write: WriteText;
  readonly #groups = new Map<string, Group>();
  #leftOut = 0;

  constructor(write: WriteText) {
    this.#write = write;
  }

  hits(snapshot: string, hits: readonly Hit[]): Promise<void> {
    for (const hit of hits) {
      const key = JSON.stringify([
        snapshot,
        hit.feed,
        hit.indicator,
        hit.process?.exe,
        hit.process?.comm,
        hit.confidence,
      ]);
      const group = this.#groups.get(key);
      if (group) group.count++;
      else if (this.#groups.size < MAX_GROUPS) this.#groups.set(key, { snapshot, first: detached(hit), count: 1 });
      else this.#leftOut++;
    }
    return Promise.resolve();
  }

  async end(): Promise<object> {
    const groups = [...this.#groups.values()].sort(
      (a, b) => RANK[b.first.confidence] - RANK[a.first.confidence] || b.count - a.count,
    );
    if (groups.length > 0) await this.#write(`${table(TABLE_COLUMNS, groups.map(tableRow))}\n\n${reasons(groups)}`);
    if (this.#leftOut > 0) {
      await this.#write(`${this.#leftOut} more hits are not in this table; --format ndjson has them all\n`);
    }
    return {};
  }
}

function tableRow({ first, count }: Group, at: number): (string | number | null)[] {
  const { indicator, process, flow } = first;
  return [
    at + 1,
    first.confidence,
    count,
    first.time?.slice(0, 19).concat('Z') ?? null,
    `${indicator.type} ${indicator.value}`,
    indicator.description,
    process && `${process.exe ?? process.comm ?? '?'} (${process.pid})`,
    first.serverName ?? (flow && formatEndpoint(flow.dst, flow.dstPort)),
  ];
}

/** Why, below the table: reasons are sentences, and do not fit into columns. */
function reasons(groups: readonly Group[]): string {
  const rows = groups.map(({ first, snapshot }, at) => [
    at + 1,
    `${first.feed}, line ${first.indicator.line}`,
    snapshot,
    first.why.join('; '),
  ]);
  return `${table(['', 'feed', 'snapshot', 'why'], rows, { width: Infinity })}\n`;
}

function csvRow(snapshot: string, hit: Hit): (string | number | null)[] {
  const { indicator, matched, process, flow } = hit;
  return [
    snapshot,
    hit.time,
    hit.confidence,
    hit.why.join('; '),
    hit.feed,
    hit.feedFormat,
    indicator.line,
    indicator.type,
    indicator.value,
    indicator.description,
    indicator.firstSeen,
    indicator.lastSeen,
    matched.field,
    matched.form,
    hit.event,
    hit.kind,
    hit.serverName,
    process?.pid ?? null,
    process?.startTimeNs ?? null,
    process?.comm ?? null,
    process?.exe ?? null,
    flow?.src ?? null,
    flow?.srcPort ?? null,
    flow?.dst ?? null,
    flow?.dstPort ?? null,
  ];
}

/** A hit that can be kept: texts of its row may be slices of a whole line, which would stay in memory with them. */
function detached(hit: Hit): Hit {
  const { time, matched, serverName, process, flow } = hit;
  const texts = { time, matched, serverName, process, flow };
  return { ...hit, ...(JSON.parse(JSON.stringify(texts)) as typeof texts) };
}

const CSV_COLUMNS = [
  ...['snapshot', 'time', 'confidence', 'why', 'feed', 'feed_format', 'feed_line'],
  ...['indicator_type', 'indicator', 'description', 'first_seen', 'last_seen', 'matched_field', 'matched_form'],
  ...['seq', 'kind', 'server_name', 'pid', 'start_time_ns', 'comm', 'exe', 'src', 'src_port', 'dst', 'dst_port'],
];
const TABLE_COLUMNS = ['', 'confidence', 'hits', 'first', 'indicator', 'the feed says', 'process', 'towards'];
const RANK: Record<Confidence, number> = { high: 3, medium: 2, low: 1 };
const MAX_GROUPS = 10_000;
/** About 100 MB in memory. */
const MAX_JSON_HITS = 100_000;
