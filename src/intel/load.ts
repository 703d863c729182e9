import { detectFormat } from './detect.js';
import { FeedContent, type FeedProblem, type FeedSkip } from './feed.js';
import { readFeedFile } from './feed-file.js';
import type { FeedFormat, FeedSource, Indicator } from './indicator.js';
import { JsonFault } from './json-cursor.js';
import { readJa4db } from './shapes/ja4db.js';
import { readJa4plusMapping } from './shapes/ja4plus-mapping.js';
import { readMisp } from './shapes/misp.js';
import { readPlainList, type PlainListType } from './shapes/plain-list.js';
import { readSalesforceList } from './shapes/salesforce-list.js';
import { readSslblJa3 } from './shapes/sslbl-ja3.js';
import { readSslblSha1 } from './shapes/sslbl-sha1.js';
import { readStix } from './shapes/stix.js';
import { readSuricataDataset } from './shapes/suricata-dataset.js';
import { readSuricataRules } from './shapes/suricata-rules.js';
import { readZeekIntel } from './shapes/zeek-intel.js';

/** A feed as it was read: what it names, and what of it was not understood or left out. */
export interface Feed {
  readonly path: string;
  readonly format: FeedFormat;
  /** SHA-256 of the file on disk, and its size in bytes. */
  readonly sha256: string;
  readonly size: number;
  readonly packed: boolean;
  readonly encoding: string;
  readonly indicators: readonly Indicator[];
  /** The first 100,000 of `problemCount`. */
  readonly problems: readonly FeedProblem[];
  readonly problemCount: number;
  readonly skipped: readonly FeedSkip[];
}

/** What the user says about feeds that do not say it themselves. */
export interface FeedOptions {
  /** What the hashes of a plain list, or of a dataset, are; JA3 and executables' hashes, by length, without it. */
  readonly as?: PlainListType | undefined;
}

/**
 * Reads one feed, whatever its shape; what is broken in it becomes `problems`.
 * @throws TlsnapError of kind `io`, or `input` where the file as a whole is none of the shapes or too large
 */
export async function loadFeed(path: string, options: FeedOptions = {}): Promise<Feed> {
  const { text, ...file } = await readFeedFile(path);
  return { path, ...file, ...parseFeed(path, text, options) };
}

/** Reads feeds one after the other, so that only one of them is in memory as text. */
export async function loadFeeds(paths: readonly string[], options: FeedOptions = {}): Promise<Feed[]> {
  const feeds: Feed[] = [];
  for (const path of paths) feeds.push(await loadFeed(path, options));
  return feeds;
}

/** The part without files: UTF-8 text to what it holds. `path` only names the feed in errors and hits. */
export function parseFeed(
  path: string,
  text: Buffer,
  options: FeedOptions = {},
): Pick<Feed, 'format' | 'indicators' | 'problems' | 'problemCount' | 'skipped'> {
  const format = detectFormat(path, text);
  const source: FeedSource = { path, format };
  const content = new FeedContent(source);
  try {
    READERS[format](text, content, options);
  } catch (error) {
    // The text's own order is broken: what was read until there stays.
    if (!(error instanceof JsonFault)) throw error;
    content.problem(error.line, error.text, `${error.message}; nothing after it was read`);
  }
  const { indicators, problems, problemCount, skipped } = content;
  return { format, indicators, problems, problemCount, skipped };
}

type Reader = (bytes: Buffer, content: FeedContent, options: FeedOptions) => void;

const READERS: Record<FeedFormat, Reader> = {
  'sslbl-ja3': readSslblJa3,
  'sslbl-sha1': readSslblSha1,
  ja4db: readJa4db,
  'ja4plus-mapping': readJa4plusMapping,
  'salesforce-list': readSalesforceList,
  misp: readMisp,
  stix: readStix,
  'zeek-intel': readZeekIntel,
  'suricata-rules': readSuricataRules,
  'suricata-dataset': (bytes, content, { as }) => readSuricataDataset(bytes, content, as),
  'plain-list': (bytes, content, { as }) => readPlainList(bytes, content, as),
};
