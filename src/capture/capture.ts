import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { TlsnapError } from '../errors.js';
import { createOutput } from '../snapshot/output.js';
import type { Signer } from '../snapshot/signer.js';
import { compose, type Composed } from './compose.js';
import { removeSpool, spoolPath } from './spool.js';
import { keepWindow, type WindowOptions } from './window.js';

export interface CaptureOptions extends Omit<WindowOptions, 'spool'> {
  /** See WriterOptions.output. */
  readonly output: string;
  readonly signer: Signer;
  readonly onWindowEnd?: () => void;
}

/** A live window, from attaching to the signed snapshot. What was captured is in the spool whatever happens after. */
export async function capture(options: CaptureOptions): Promise<Composed> {
  createOutput(options.output);
  const spool = options.output === '-' ? memorySpool() : spoolPath(options.output);
  await keepWindow({ ...options, spool });
  options.onWindowEnd?.();
  try {
    const composed = await compose({ spool, output: options.output, signer: options.signer });
    removeSpool(spool);
    return composed;
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

/** Nothing is lost with a snapshot that could not be written: says where it still is. */
function withRecovery(error: unknown, spool: string): unknown {
  if (!(error instanceof TlsnapError) || !existsSync(spool)) return error;
  const { kind, subject, detail, suggestions } = error;
  return new TlsnapError(
    kind,
    subject,
    detail,
    [
      ...suggestions,
      `All that was captured is in ${spool}: make the snapshot with tlsnap recover ${spool} --output FILE`,
    ],
    error,
  );
}

const SHARED_MEMORY = '/dev/shm';
