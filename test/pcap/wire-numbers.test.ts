import test from 'ava';
import fc from 'fast-check';
import { uint16be, uint32be, uint32le } from '../../src/pcap/wire-numbers.js';

test("numbers are what a Buffer's own methods read", (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 4, maxLength: 40 }), fc.nat(36), (bytes, place) => {
      const buffer = Buffer.from(bytes);
      const at = Math.min(place, buffer.length - 4);
      t.is(uint16be(buffer, at), buffer.readUInt16BE(at));
      t.is(uint32be(buffer, at), buffer.readUInt32BE(at));
      t.is(uint32le(buffer, at), buffer.readUInt32LE(at));
    }),
  );
});
