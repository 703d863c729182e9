import { LAYOUT } from '../native/layout.js';
import { recordAt } from '../native/records.js';
import type { Note } from './notes.js';
import { FRAME, MAX_PAYLOAD } from './spool.js';
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

/** Appends a note; of one that is too long for a frame only that it was left out. */
export function appendNote(spool: SpoolWriter, note: Note): void {
  const payload = Buffer.from(JSON.stringify(note));
  if (payload.length <= MAX_PAYLOAD) {
    spool.append(FRAME.note, payload);
    return;
  }
  const text = `What was noted as ${note.note} was left out: ${payload.length} bytes are too many for the spool.`;
  spool.append(FRAME.note, Buffer.from(JSON.stringify({ note: 'limit', text } satisfies Note)));
}

/** A spool's reader takes no frame of more than 64 MiB. */
const PIECE_BYTES = 4 * 1024 * 1024;
