import { createHmac } from 'node:crypto';
import test from 'ava';
import fc from 'fast-check';
import { HmacKey } from '../../../src/pcap/quic/hmac-key.js';

test('HMAC-SHA256 is that of RFC 4231, section 4.2 and 4.3', (t) => {
  const cases = [
    ['0b'.repeat(20), '4869205468657265', 'b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7'],
    [
      '4a656665',
      '7768617420646f2079612077616e7420666f72206e6f7468696e673f',
      '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
    ],
  ] as const;
  for (const [key, message, expected] of cases) {
    t.is(new HmacKey(Buffer.from(key, 'hex')).sign(Buffer.from(message, 'hex')).toString('hex'), expected);
  }
});

test("it is node:crypto's for every key of up to 64 bytes and message of up to 64, and one key signs many", (t) => {
  const messages = fc.array(fc.uint8Array({ maxLength: 64 }), { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), messages, (key, all) => {
      const own = new HmacKey(key);
      for (const message of all) {
        t.deepEqual(own.sign(message), createHmac('sha256', key).update(message).digest());
      }
    }),
    { numRuns: 2000 },
  );
});
