import { once } from 'node:events';
import type { Writable } from 'node:stream';
import { stdoutError } from '../errors.js';

/** A function that writes to standard output and waits while its reader is slower than we are. */
export function slowly(stdout: Writable): (text: string) => Promise<void> {
  return async (text) => {
    if (text === '' || stdout.write(text)) return;
    try {
      await once(stdout, 'drain');
    } catch (error) {
      throw stdoutError(error);
    }
  };
}
