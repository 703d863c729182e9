import { checkRecipients, encryptedName } from '../snapshot/encryption.js';
import { createOutput } from '../snapshot/output.js';
import type { Signer } from '../snapshot/signer.js';
import { Carver, type CarveMode } from './carver.js';
import type { Captured } from './compose-matched.js';
import { Redactor } from './redaction.js';
import { spoolFor } from './spool-place.js';
import { keepWindow, type WindowOptions } from './window.js';
import { withRecovery } from './with-recovery.js';

export interface CaptureOptions extends Omit<WindowOptions, 'spool'> {
  /** See WriterOptions.output. */
  readonly output: string;
  readonly signer: Signer;
  /** Feeds to compare the snapshot with. */
  readonly feeds: readonly string[];
  readonly carve: CarveMode;
  /** Told where the spool will be. */
  readonly onSpool?: (spool: string) => void;
  readonly onWindowEnd?: () => void;
}

/** A live window, from attaching to the signed snapshot. What was captured is in the spool whatever happens after. */
export async function capture(options: CaptureOptions): Promise<Captured> {
  await checkRecipients(options.encryptTo);
  new Redactor(options.redact);
  createOutput(encryptedName(options.output, options.encryptTo));
  // What is wrong with a feed is said before the window; without feeds nothing of this is needed before its end.
  let composing = options.feeds.length > 0 ? composer(options) : null;
  await composing;
  const spool = spoolFor(options.output);
  options.onSpool?.(spool);
  const carver = new Carver(options.carve);
  try {
    await keepWindow({
      ...options,
      spool,
      onProcess: (row) => carver.see(row),
      onArmed: () => {
        options.onArmed?.();
        // At once, and not at the end: a program on a stick or of a package may be gone by then.
        composing ??= composer(options);
        composing.catch(() => undefined);
      },
    });
    return await endOf(options, spool, composing ?? composer(options), carver);
  } finally {
    await carver.close();
  }
}

/** What goes wrong from here on costs nothing of what was captured. */
async function endOf(
  options: CaptureOptions,
  spool: string,
  composing: Promise<Composer>,
  carver: Carver,
): Promise<Captured> {
  try {
    options.onWindowEnd?.();
    const compose = await composing;
    return await compose(spool, carver);
  } catch (error) {
    throw withRecovery(error, spool);
  }
}

type Composer = (spool: string, carver: Carver) => Promise<Captured>;

/** Reads the feeds; what it returns makes the snapshot of a spool. */
async function composer(options: CaptureOptions): Promise<Composer> {
  const { composeMatched, openMatcher } = await import('./compose-matched.js');
  const matcher = await openMatcher(options.feeds);
  return (spool, carver) => composeMatched(options, spool, matcher, carver);
}
