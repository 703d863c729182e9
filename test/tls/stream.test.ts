import test from 'ava';
import fc from 'fast-check';
import { StreamAssembler, type StreamRun } from '../../src/tls/stream.js';
import { ascii, bytes } from './wire.js';

const text = (runs: readonly StreamRun[]): string =>
  runs.map(({ offset, bytes: run }) => `${offset}:${Buffer.from(run).toString('latin1')}`).join(' ');

test('pieces in order are handed on uncopied', (t) => {
  const stream = new StreamAssembler();
  const piece = ascii('abc');
  t.is(stream.push(0, piece)[0]?.bytes, piece);
  t.is(text(stream.push(3, ascii('def'))), '3:def');
  t.is(stream.nextOffset, 6);
});

test('pieces out of order wait, and are copied', (t) => {
  const stream = new StreamAssembler();
  const late = Uint8Array.from(ascii('def'));
  t.deepEqual(stream.push(3, late), []);
  late.fill(0);
  t.is(stream.pendingBytes, 3);
  t.is(text(stream.push(0, ascii('abc'))), '0:abc 3:def');
  t.is(stream.pendingBytes, 0);
});

test('of bytes that come twice the first seen win, and a contradiction is counted', (t) => {
  const stream = new StreamAssembler();
  stream.push(2, ascii('cd'));
  stream.push(6, ascii('gh'));
  t.is(text(stream.push(0, ascii('abXXefYYi'))), '0:ab 2:cd 4:ef 6:gh 8:i');
  t.is(stream.conflictingOverlaps, 2);
  t.is(stream.duplicateBytes, 4);
});

test('a plain retransmission is dropped', (t) => {
  const stream = new StreamAssembler();
  stream.push(0, ascii('abcd'));
  t.deepEqual(stream.push(0, ascii('abcd')), []);
  t.is(text(stream.push(2, ascii('cdef'))), '4:ef');
  t.is(stream.conflictingOverlaps, 0);
  t.is(stream.duplicateBytes, 6);
});

test('too much beyond a hole gives the hole up', (t) => {
  const stream = new StreamAssembler({ maxPendingBytes: 4 });
  stream.push(10, ascii('abcd'));
  t.is(text(stream.push(20, ascii('e'))), '10:abcd');
  t.is(stream.missingBytes, 10);
  t.is(text(stream.flush()), '20:e');
  t.is(stream.missingBytes, 16);
});

test('too many pieces beyond a hole give the hole up', (t) => {
  const stream = new StreamAssembler({ maxPendingPieces: 2 });
  stream.push(2, bytes(1));
  stream.push(4, bytes(1));
  t.is(stream.push(6, bytes(1))[0]?.offset, 2);
});

test('what lies before the start is dropped', (t) => {
  const stream = new StreamAssembler({ start: 100 });
  t.is(text(stream.push(98, ascii('abcd'))), '100:cd');
});

test('any shuffling and cutting of a stream gives the stream', (t) => {
  const cut = fc.record({ at: fc.nat(199), length: fc.integer({ min: 1, max: 60 }) });
  fc.assert(
    fc.property(fc.array(cut, { maxLength: 60 }), (cuts) => {
      const whole = Uint8Array.from({ length: 200 }, (_, index) => index);
      const stream = new StreamAssembler({ maxPendingBytes: 1000, maxPendingPieces: 1000 });
      const seen = new Set<number>();
      const runs: StreamRun[] = [];
      for (const { at, length } of cuts) {
        const piece = whole.subarray(at, at + length);
        for (let index = at; index < at + piece.length; index++) seen.add(index);
        runs.push(...stream.push(at, piece));
      }
      runs.push(...stream.flush());
      let last = -1;
      const out: number[] = [];
      for (const { offset, bytes: run } of runs) {
        t.true(offset > last);
        for (const [index, byte] of run.entries()) t.is(byte, offset + index);
        out.push(...run);
        last = offset + run.length - 1;
      }
      t.deepEqual(
        out,
        [...seen].sort((a, b) => a - b),
      );
      t.is(stream.pendingBytes, 0);
      t.is(stream.conflictingOverlaps, 0);
    }),
  );
});
