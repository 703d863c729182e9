import test from 'ava';
import fc from 'fast-check';
import { Faults, latin1, Reader } from '../../src/tls/reader.js';
import { bytes, fromHex } from './wire.js';

const reading = (hex: string): { reader: Reader; faults: Faults } => {
  const faults = new Faults();
  return { reader: new Reader(fromHex(hex), faults), faults };
};

test('numbers are read in network order', (t) => {
  const { reader, faults } = reading('01 0203 040506');
  t.deepEqual([reader.u8('a'), reader.u16('b'), reader.u24('c'), reader.left], [1, 0x0203, 0x040506, 0]);
  t.is(faults.describe(), null);
});

test('a read past the end is zero, and the first one is named with its field and offset', (t) => {
  const { reader, faults } = reading('01 02');
  reader.u8('first');
  t.deepEqual([reader.u16('second'), reader.u8('third')], [0, 0]);
  t.true(reader.failed);
  t.is(faults.describe(), 'second at offset 1: 2 bytes expected, 1 left');
});

test('a nested reader ends where its length says, and its failure is its own', (t) => {
  const { reader, faults } = reading('02 aabb cc');
  const nested = reader.vector8('list');
  t.deepEqual([nested.u8('a'), nested.u16('b')], [0xaa, 0]);
  t.deepEqual([nested.failed, reader.failed, reader.u8('next')], [true, false, 0xcc]);
  t.is(faults.describe(), 'b at offset 2: 2 bytes expected, 1 left');
});

test('a length that exceeds what is left yields what is left', (t) => {
  const { reader } = reading('ffff 0102');
  const nested = reader.vector16('list');
  t.true(reader.failed);
  t.deepEqual(nested.u16s('list'), [0x0102]);
});

test('an odd byte in a list of numbers is named', (t) => {
  const { reader, faults } = reading('0102 03');
  t.deepEqual(reader.u16s('list'), [0x0102]);
  t.is(faults.describe(), 'list at offset 2: odd length, one byte left over');
});

test('text keeps every byte, short or long', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (data) => {
      t.deepEqual(
        Array.from(latin1(data), (character) => character.charCodeAt(0)),
        [...data],
      );
    }),
  );
});

test('a view into a larger buffer is read in its own bounds', (t) => {
  const data = bytes(9, 9, 1, 2, 9, 9).subarray(2, 4);
  const reader = new Reader(data, new Faults());
  t.is(reader.u16('a'), 0x0102);
  t.is(reader.left, 0);
  t.is(latin1(data), '\x01\x02');
});
