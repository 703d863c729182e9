import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { FRAME, snapshotPath, spoolPath } from '../../src/capture/spool.js';
import { SpoolReader } from '../../src/capture/spool-reader.js';
import { SpoolWriter } from '../../src/capture/spool-writer.js';
import { TlsnapError } from '../../src/errors.js';

const PAYLOADS = [Buffer.from('{"note":"start"}'), Buffer.alloc(0), Buffer.alloc(200, 7), Buffer.from('last')];
const HEADER = 44;

test('what was appended is read back in order, and the chain ends in the same link', (t) => {
  const { directory, head } = written(t);
  const reader = new SpoolReader(directory);
  t.deepEqual(payloads(reader), PAYLOADS);
  t.is(reader.broken, null);
  t.is(reader.records, PAYLOADS.length);
  t.is(reader.head, head);
  t.is(statSync(directory).mode & 0o777, 0o700);
});

test('a link is the SHA-256 of the link before, the header and the payload, as its documentation says', (t) => {
  const { segment, head } = written(t);
  const bytes = readFileSync(segment);
  let link: Uint8Array = Buffer.alloc(32);
  for (let at = 0; at < bytes.length;) {
    t.is(bytes.toString('latin1', at, at + 4), 'TSNP');
    const end = at + HEADER + bytes.readUInt32LE(at + 8);
    const body = [bytes.subarray(at, at + 12), bytes.subarray(at + HEADER, end)];
    link = createHash('sha256')
      .update(Buffer.concat([link, ...body]))
      .digest();
    t.deepEqual(bytes.subarray(at + 12, at + HEADER), Buffer.from(link));
    at = end;
  }
  t.is(Buffer.from(link).toString('hex'), head);
});

test('cut at any byte, every whole frame before the cut is read and the rest is counted', (t) => {
  const { directory, segment } = written(t);
  const bytes = readFileSync(segment);
  const ends = frameEnds();
  for (let length = 0; length < bytes.length; length++) {
    writeFileSync(segment, bytes.subarray(0, length));
    const reader = new SpoolReader(directory);
    const whole = ends.filter((end) => end <= length).length;
    t.deepEqual(payloads(reader), PAYLOADS.slice(0, whole), `${length}`);
    const kept = ends[whole - 1] ?? 0;
    if (kept === length) t.is(reader.broken, null, `${length}`);
    else t.like(reader.broken, { offset: kept, bytesLost: length - kept }, `${length}`);
  }
});

test('one flipped bit in any byte ends the reading at its frame', (t) => {
  const { directory, segment } = written(t);
  const bytes = readFileSync(segment);
  const ends = frameEnds();
  for (let at = 0; at < bytes.length; at++) {
    const flipped = Buffer.from(bytes);
    flipped[at] = (flipped[at] ?? 0) ^ (1 << (at % 8));
    writeFileSync(segment, flipped);
    const reader = new SpoolReader(directory);
    const intact = ends.filter((end) => end <= at).length;
    t.deepEqual(payloads(reader), PAYLOADS.slice(0, intact), `${at}`);
    t.is(reader.broken?.offset, ends[intact - 1] ?? 0, `${at}`);
  }
});

test('a segment that is closed while other threads make it durable stays open for them', async (t) => {
  const writer = new SpoolWriter(join(temporary(t), 'spool'), 1);
  writer.append(FRAME.note, Buffer.from('first segment'));
  writer.append(FRAME.note, Buffer.from('second segment'));
  // More than the threads of the pool, so that some have not begun when it is closed.
  const syncs = Array.from({ length: 50 }, () => writer.sync());
  writer.close();
  // EBADF would be an error of kind io.
  await t.notThrowsAsync(Promise.all(syncs));
});

test('a spool that exists already is never written to', (t) => {
  const { directory } = written(t);
  const before = readdirSync(directory);
  const error = t.throws(() => new SpoolWriter(directory), { instanceOf: TlsnapError });
  t.is(error.kind, 'io');
  t.deepEqual(readdirSync(directory), before);
});

test('a folder without a segment is no spool', (t) => {
  const folder = temporary(t);
  const error = t.throws(() => new SpoolReader(folder), { instanceOf: TlsnapError });
  t.is(error.kind, 'input');
});

test('a spool lies beside its snapshot, and leads back to its name', (t) => {
  t.is(snapshotPath(spoolPath('/x/a.tlsnap.tar.gz')), '/x/a.tlsnap.tar.gz');
  t.is(snapshotPath(`${spoolPath('/x/a.tlsnap.tar.gz')}/`), '/x/a.tlsnap.tar.gz');
});

function written(t: ExecutionContext): { directory: string; segment: string; head: string } {
  const directory = join(temporary(t), 'spool');
  const writer = new SpoolWriter(directory);
  PAYLOADS.forEach((payload, index) => writer.append(index === 2 ? FRAME.kernel : FRAME.note, payload));
  const { head } = writer;
  writer.close();
  const [name = ''] = readdirSync(directory);
  return { directory, segment: join(directory, name), head };
}

function payloads(reader: SpoolReader): Buffer[] {
  // A payload is only good until the next one.
  return Array.from(reader.frames(), ({ payload }) => Buffer.from(payload));
}

function frameEnds(): number[] {
  return PAYLOADS.map((_, index) =>
    PAYLOADS.slice(0, index + 1).reduce((sum, payload) => sum + HEADER + payload.length, 0),
  );
}

function temporary(t: ExecutionContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'tlsnap-spool-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
