import { createHash } from 'node:crypto';
import { readRegular } from '../procfs/bounded-read.js';
import { errorCode } from '../procfs/field-errors.js';
import { textFields } from '../procfs/text.js';
import type { FieldError } from '../snapshot/schema/process.js';
import type { Host } from '../snapshot/schema/host.js';

/** /etc/ld.so.preload (ld.so(8)). That it is not there is the usual case, and no error. */
export function readPreload(path: string, errors: FieldError[]): Host['preload'] {
  const unknown = { path, exists: null, size: null, sha256: null, content: null };
  try {
    const { bytes, truncated } = readRegular(path, MAX_PRELOAD);
    if (truncated) errors.push({ field: 'preload', code: 'TRUNCATED' });
    return {
      path,
      exists: true,
      size: truncated ? null : bytes.length,
      sha256: truncated ? null : createHash('sha256').update(bytes).digest('hex'),
      ...textFields('content', bytes),
    };
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return { ...unknown, exists: false };
    errors.push({ field: 'preload', code: errorCode(error) });
    return unknown;
  }
}

const MAX_PRELOAD = 65536;
