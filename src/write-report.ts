import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { findings } from './analysis/findings.js';
import { ioError, stdoutError, TlsnapError } from './errors.js';
import { loadFeeds } from './intel/load.js';
import type { PlainListType } from './intel/shapes/plain-list.js';
import { csvRenderer } from './report/csv.js';
import { ecsRenderer } from './report/ecs.js';
import type { ReportFormat, ReportTable } from './report/formats.js';
import type { ChartLibrary } from './report/html/document.js';
import { htmlRenderer } from './report/html/html.js';
import { l2tcsvRenderer } from './report/l2tcsv.js';
import { ocsfRenderer } from './report/ocsf.js';
import { pcapngRenderer } from './report/pcapng.js';
import type { Renderer } from './report/renderer.js';
import { type RenderLines, Report, type ReportSummary } from './report/report.js';
import { timesketchRenderer } from './report/timesketch.js';
import { zeekRenderer } from './report/zeek.js';
import { createOutput } from './snapshot/output.js';
import type { Identities } from './snapshot/decryption.js';
import { TIMELINE } from './snapshot/members.js';
import { openSnapshot, type Snapshot } from './snapshot/reader.js';
import { LineThread } from './write-report/line-thread.js';

export interface ReportOptions {
  readonly snapshot: string;
  readonly format: ReportFormat;
  /** Of `csv`; the handshakes without it. */
  readonly table: ReportTable | undefined;
  readonly feeds: readonly string[];
  /** What the hashes of a plain list are. */
  readonly as: PlainListType | undefined;
  /** What opens an encrypted snapshot. */
  readonly identities?: Identities;
  /** A file that must not exist, or `-` for standard output. */
  readonly output: string;
}

export interface ReportResult extends ReportSummary {
  readonly output: string;
  readonly format: ReportFormat;
  readonly snapshot: string;
  readonly manifestSha256: string;
}

/**
 * Writes a report of one snapshot; nothing is left behind where that fails.
 * @throws TlsnapError
 */
export async function writeReport(options: ReportOptions): Promise<ReportResult> {
  requireSense(options);
  const output = createOutput(options.output);
  const feeds = await loadFeeds(options.feeds, { as: options.as });
  const snapshot = await openSnapshot(options.snapshot, options.identities);
  const renderer = await rendererOf(snapshot, options);
  const thread = lineThread(snapshot, options);
  const render: RenderLines | undefined = thread && ((lines, here) => thread.render(lines, here));
  const report = new Report(snapshot, renderer, feeds, render);
  try {
    await pipeline(Readable.from(report.chunks(), { objectMode: true, highWaterMark: 1 }), output.open());
    output.commit();
  } catch (error) {
    output.abandon();
    throw output.isStdout ? stdoutError(error) : ioError(options.output, error);
  } finally {
    thread?.close();
  }
  const { format } = options;
  const { name, manifestSha256 } = snapshot;
  return { output: options.output, format, snapshot: name, manifestSha256, ...report.summary() };
}

function requireSense({ format, table, feeds }: ReportOptions): void {
  if (table !== undefined && format !== 'csv') {
    throw new TlsnapError('usage', `--table ${table}`, `--format ${format} is no table`, ['Use --format csv.']);
  }
  if (table === 'matches' && feeds.length === 0) {
    throw new TlsnapError('usage', '--table matches', 'nothing can match without a feed', ['Name one with --feed.']);
  }
}

async function rendererOf(snapshot: Snapshot, { format, table, output, feeds }: ReportOptions): Promise<Renderer> {
  switch (format) {
    case 'csv':
      return csvRenderer(table ?? 'handshakes');
    case 'timesketch':
      return timesketchRenderer(snapshot, output.toLowerCase().endsWith('.csv') ? 'csv' : 'jsonl');
    case 'l2tcsv':
      return l2tcsvRenderer(snapshot);
    case 'ecs':
      return ecsRenderer(snapshot);
    case 'ocsf':
      return ocsfRenderer(snapshot);
    case 'zeek':
      return zeekRenderer(snapshot);
    case 'pcapng':
      return pcapngRenderer(snapshot);
    case 'html':
      return htmlRenderer(snapshot, {
        chart: await readChartLibrary(),
        findings: await findings(snapshot),
        compared: feeds.length > 0,
      });
  }
}

/** Where the timeline is long, and there is a processor for it, its lines are rendered by a thread of their own. */
function lineThread({ name, manifest }: Snapshot, { format, table = 'handshakes' }: ReportOptions) {
  const size = manifest.members.find(({ path }) => path === TIMELINE)?.size ?? 0;
  const isLong = format === 'csv' && table === 'handshakes' && size >= LONG_BYTES;
  return isLong && availableParallelism() > 1 ? new LineThread({ table, snapshot: name }) : undefined;
}

/** uPlot, as its package brings it. */
async function readChartLibrary(): Promise<ChartLibrary> {
  const { resolve } = createRequire(import.meta.url);
  const read = (file: string): Promise<string> => readFile(resolve(`uplot/${file}`), 'utf8');
  return {
    script: await read('dist/uPlot.iife.min.js'),
    style: await read('dist/uPlot.min.css'),
    licence: await read('LICENSE'),
  };
}

/** A report of less is written before a thread has started. */
const LONG_BYTES = 32 * 1024 * 1024;
