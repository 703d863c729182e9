import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { TlsnapError } from '../errors.js';
import type { Hit } from '../intel/hit.js';
import { IndicatorIndex } from '../intel/indicator-index.js';
import { ja4FormsOf } from '../intel/ja4-forms.js';
import { loadFeeds } from '../intel/load.js';
import { Matcher } from '../intel/matches.js';
import { checkRecipients, encryptedName } from '../snapshot/encryption.js';
import { createOutput } from '../snapshot/output.js';
import type { Process } from '../snapshot/schema/process.js';
import type { Signer } from '../snapshot/signer.js';
import { Carver, type CarveMode } from './carver.js';
import { compose, type Composed } from './compose.js';
import { Redactor } from './redaction.js';
import { spoolPath } from './spool.js';
import { withRecovery } from './with-recovery.js';
import { keepWindow, SHARED_MEMORY, type WindowOptions } from './window.js';

export interface CaptureOptions extends Omit<WindowOptions, 'spool'> {
  /** See WriterOptions.output. */
  readonly output: string;
  readonly signer: Signer;
  /** Feeds to compare the snapshot with. */
  readonly feeds: readonly string[];
  readonly carve: CarveMode;
  readonly onWindowEnd?: () => void;
}

export interface Captured extends Composed {
  /** What the feeds name, in the order of the timeline as far as it was in order. */
  readonly hits: readonly Hit[];
}

/** A live window, from attaching to the signed snapshot. What was captured is in the spool whatever happens after. */
export async function capture(options: CaptureOptions): Promise<Captured> {
  await checkRecipients(options.encryptTo);
  new Redactor(options.redact);
  createOutput(encryptedName(options.output, options.encryptTo));
  const matcher = new Matcher(new IndicatorIndex(await loadFeeds(options.feeds)), { forms: ja4FormsOf });
  const spool = options.output === '-' ? memorySpool() : spoolPath(options.output);
  const carver = new Carver(options.carve);
  try {
    await keepWindow({ ...options, spool, onProcess: (row) => carver.see(row) });
    options.onWindowEnd?.();
    return await composeMatched(options, spool, matcher, carver);
  } finally {
    await carver.close();
  }
}

async function composeMatched(
  options: CaptureOptions,
  spool: string,
  matcher: Matcher,
  carver: Carver,
): Promise<Captured> {
  const { output, signer, encryptTo } = options;
  const hits: Hit[] = [];
  const matched = new Set<string>();
  const takeProcess = (row: Process): void => {
    const found = matcher.process(row);
    hits.push(...found);
    const byHello = hits.some(({ process }) => process?.pid === row.pid && process.startTimeNs === row.startTimeNs);
    if (row.exeSha256 !== null && (found.length > 0 || byHello)) matched.add(row.exeSha256);
  };
  try {
    const composed = await compose({
      spool,
      output,
      signer,
      encryptTo,
      removesSpool: true,
      onHello: (row) => hits.push(...matcher.handshake({ seq: 0, ...row })),
      onProcess: takeProcess,
      executables: () => carver.executables(matched),
    });
    return { ...composed, hits };
  } catch (error) {
    throw withRecovery(error, spool);
  }
}

/** For a snapshot that goes to stdout, so that nothing is written to the host's disks. */
function memorySpool(): string {
  if (!existsSync(SHARED_MEMORY)) {
    throw new TlsnapError('unavailable', SHARED_MEMORY, 'is not there to keep the spool in memory', [
      'Name an --output FILE.',
    ]);
  }
  return join(SHARED_MEMORY, `tlsnap-${randomBytes(8).toString('hex')}`);
}
