import test from 'ava';
import fc from 'fast-check';
import { kernelRecords, RecordError, type KernelRecord } from '../../src/native/records.js';
import { chunkBytes, exitBytes, processBytes } from './sample-records.js';

const SAMPLE = [
  processBytes({
    pid: 4242,
    startNs: 77n,
    ppid: 7,
    comm: 'cu\x1brl',
    exe: ['curl', 'bin', 'usr'],
    cmdline: Buffer.from('curl\0-k\0'),
    cmdlineTotal: 2000,
  }),
  chunkBytes({ bytes: Buffer.from('hello'), streamOffset: 3, direction: 1, role: 1 }),
  exitBytes(4242, 77n, 256),
];

test('records come out in order, with what the layout says is in them', (t) => {
  const [process, chunk, exit] = [...kernelRecords(Buffer.concat(SAMPLE))];
  t.like(process, { type: 'process', exeCut: false, cmdlineCut: true, exeDevice: '254:1', exeInode: 99n, exec: false });
  t.is(process?.type === 'process' ? process.exe?.toString() : '', '/usr/bin/curl');
  t.is(process?.type === 'process' ? process.task.comm.toString() : '', 'cu\x1brl');
  t.like(chunk, { type: 'chunk', outgoing: false, accepted: true, streamOffset: 3, kind: 'client' });
  t.is(chunk?.type === 'chunk' ? chunk.bytes.toString() : '', 'hello');
  t.like(exit, { type: 'exit', pid: 4242, startTimeNs: 77n, exitCode: 256 });
});

test('of a path that was too long the end stands behind three dots, and no absolute path does', (t) => {
  const paths = [
    { exe: ['curl', 'bin', 'usr'], exeCut: true },
    { exe: ['memfd:x'] },
    { exe: [], exeInode: 5n },
    { exe: ['curl', '/'], exeCut: false },
  ].map((fields) => {
    const [record] = [...kernelRecords(processBytes({ pid: 1, startNs: 1n, comm: 'x', ...fields }))];
    return record?.type === 'process' ? (record.exe?.toString() ?? null) : undefined;
  });
  t.deepEqual(paths, ['.../usr/bin/curl', '/memfd:x', null, '/curl']);
});

test('whatever is cut off, what is whole before the cut comes out, and then an error names the place', (t) => {
  const bytes = Buffer.concat(SAMPLE);
  const ends = SAMPLE.map((_, index) => Buffer.concat(SAMPLE.slice(0, index + 1)).length);
  for (let length = 0; length < bytes.length; length++) {
    const { records, error } = read(bytes.subarray(0, length));
    const whole = ends.filter((end) => end <= length).length;
    // A record's padding may be missing, never a byte of the record.
    t.true(records.length === whole || (records.length === whole + 1 && (ends[whole] ?? 0) - length < 8), `${length}`);
    if (records.length === whole && !ends.includes(length) && length > 0)
      t.true(error instanceof RecordError, `${length}`);
  }
});

test('hostile bytes end in a RecordError or in records that lie within them', (t) => {
  const flipped = fc
    .tuple(fc.integer({ min: 0, max: Buffer.concat(SAMPLE).length - 1 }), fc.integer({ min: 1, max: 255 }))
    .map(([at, mask]) => {
      const bytes = Buffer.concat(SAMPLE);
      bytes[at] = (bytes[at] ?? 0) ^ mask;
      return bytes;
    });
  const random = fc.uint8Array({ maxLength: 4096 }).map((bytes) => Buffer.from(bytes));
  fc.assert(
    fc.property(fc.oneof(flipped, random), (bytes) => {
      const { records, error } = read(bytes);
      for (const record of records) {
        if (record.type === 'chunk' && record.bytes.length > bytes.length) return false;
      }
      return error === undefined || error instanceof RecordError;
    }),
    { numRuns: 2000 },
  );
  t.pass();
});

function read(bytes: Buffer): { records: KernelRecord[]; error: unknown } {
  const records: KernelRecord[] = [];
  try {
    for (const record of kernelRecords(bytes)) records.push(record);
    return { records, error: undefined };
  } catch (error) {
    return { records, error };
  }
}
