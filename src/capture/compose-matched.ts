import type { Hit } from '../intel/hit.js';
import { IndicatorIndex } from '../intel/indicator-index.js';
import { ja4Forms } from '../intel/ja4-forms.js';
import { loadFeeds } from '../intel/load.js';
import { Matcher } from '../intel/matches.js';
import type { Process } from '../snapshot/schema/process.js';
import type { Carver } from './carver.js';
import { compose, type Composed, type ComposeOptions } from './compose.js';

export interface Captured extends Composed {
  /** What the feeds name, in the order of the timeline as far as it was in order. */
  readonly hits: readonly Hit[];
}

/** Compares with all of these feeds. */
export async function openMatcher(feeds: readonly string[]): Promise<Matcher> {
  return new Matcher(new IndicatorIndex(await loadFeeds(feeds)), { forms: ja4Forms() });
}

/** Makes the snapshot, compares it with the feeds on the way, and removes the spool. */
export async function composeMatched(
  options: Pick<ComposeOptions, 'output' | 'signer' | 'encryptTo'>,
  spool: string,
  matcher: Matcher,
  carver: Carver,
): Promise<Captured> {
  const { output, signer, encryptTo } = options;
  const hits: Hit[] = [];
  /** Processes of the hits. */
  const named = new Set<string>();
  /** Digests of their executables. */
  const matched = new Set<string>();
  const take = (found: readonly Hit[]): void => {
    hits.push(...found);
    for (const { process } of found) if (process) named.add(nameOf(process));
  };
  const takeProcess = (row: Process): void => {
    const found = matcher.process(row);
    take(found);
    if (row.exeSha256 !== null && (found.length > 0 || named.has(nameOf(row)))) matched.add(row.exeSha256);
  };
  const composed = await compose({
    spool,
    output,
    signer,
    encryptTo,
    removesSpool: true,
    onHello: (row) => take(matcher.handshake({ seq: 0, ...row })),
    onProcess: takeProcess,
    executables: () => carver.executables(matched),
    executablesMissed: () => carver.missed(matched),
  });
  return { ...composed, hits };
}

/** One process, and not another that had its pid. */
function nameOf({ pid, startTimeNs }: Pick<NonNullable<Hit['process']>, 'pid' | 'startTimeNs'>): string {
  return `${pid} ${startTimeNs}`;
}
