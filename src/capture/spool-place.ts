import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { TlsnapError } from '../errors.js';
import { spoolPath } from './spool.js';

/** A tmpfs, where POSIX shared memory lies. */
export const SHARED_MEMORY = '/dev/shm';

/** Where to spool what becomes `output`: beside it, or, where that is stdout, in memory. */
export function spoolFor(output: string): string {
  return output === '-' ? memorySpool() : spoolPath(output);
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
