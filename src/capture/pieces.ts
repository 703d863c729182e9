import { LAYOUT } from '../native/layout.js';
import { recordAt } from '../native/records.js';
import { FRAME } from './spool.js';
import { type SpoolWriter } from './spool-writer.js';

/** Appends kernel records, however many, in frames of a few MiB that each hold whole ones. */
export function appendRecords(spool: SpoolWriter, records: Buffer): void {
  let start = 0;
  for (let at = 0; at < records.length;) {
    at += (recordAt(records, at).size + 7) & ~7;
    if (at - start < PIECE_BYTES && at < records.length) continue;
    spool.append(FRAME.kernel, records.subarray(start, at));
    start = at;
  }
}

/** The same for a dump of the map of fingerprints; an empty one has a frame too. */
export function appendFingerprints(spool: SpoolWriter, entries: Buffer): void {
  const entry = LAYOUT.fingerprint_key.size + LAYOUT.fingerprint.size;
  const piece = Math.floor(PIECE_BYTES / entry) * entry;
  for (let at = 0; at === 0 || at < entries.length; at += piece)
    spool.append(FRAME.fingerprints, entries.subarray(at, at + piece));
}

/** A spool's reader takes no frame of more than 64 MiB. */
const PIECE_BYTES = 4 * 1024 * 1024;
