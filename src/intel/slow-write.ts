import { once } from 'node:events';
import type { Writable } from 'node:stream';

/** A function that writes to `stream` and waits while its reader is slower than we are. */
export function slowly(stream: Writable): (text: string) => Promise<void> {
  return async (text) => {
    if (text !== '' && !stream.write(text)) await once(stream, 'drain');
  };
}
