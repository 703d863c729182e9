import { checkRecipients, encryptedName } from '../snapshot/encryption.js';
import { createOutput } from '../snapshot/output.js';
import type { Signer } from '../snapshot/signer.js';
import { Carver, type CarveMode } from './carver.js';
import { composeMatched, openMatcher, type Captured } from './compose-matched.js';
import { Redactor } from './redaction.js';
import { spoolFor } from './spool-place.js';
import { keepWindow, type WindowOptions } from './window.js';

export interface CaptureOptions extends Omit<WindowOptions, 'spool'> {
  /** See WriterOptions.output. */
  readonly output: string;
  readonly signer: Signer;
  /** Feeds to compare the snapshot with. */
  readonly feeds: readonly string[];
  readonly carve: CarveMode;
  readonly onWindowEnd?: () => void;
}

/** A live window, from attaching to the signed snapshot. What was captured is in the spool whatever happens after. */
export async function capture(options: CaptureOptions): Promise<Captured> {
  await checkRecipients(options.encryptTo);
  new Redactor(options.redact);
  createOutput(encryptedName(options.output, options.encryptTo));
  const matcher = await openMatcher(options.feeds);
  const spool = spoolFor(options.output);
  const carver = new Carver(options.carve);
  try {
    await keepWindow({ ...options, spool, onProcess: (row) => carver.see(row) });
    options.onWindowEnd?.();
    return await composeMatched(options, spool, matcher, carver);
  } finally {
    await carver.close();
  }
}
