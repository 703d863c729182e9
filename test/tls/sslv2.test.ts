import test from 'ava';
import fc from 'fast-check';
import { parseSslv2ClientHello, sslv2HelloLength } from '../../src/tls/sslv2.js';
import { bytes, concat, sslv2ClientHello } from './wire.js';

const HELLO = sslv2ClientHello(0x0301, [0x010080, 0x00002f, 0x000005]);

test('an SSLv2 CLIENT-HELLO is read as RFC 5246, appendix E.2 lays it out', (t) => {
  const { hello, error } = parseSslv2ClientHello(HELLO);
  t.is(error, null);
  t.like(hello, { version: 0x0301, cipherSpecs: [0x010080, 0x00002f, 0x000005], intact: true });
  t.is(hello?.challenge.length, 16);
});

test('its length is known from eleven bytes, and fewer leave it open', (t) => {
  for (let length = 0; length < HELLO.length; length++) {
    t.is(sslv2HelloLength(HELLO.subarray(0, length)), length < 11 ? null : HELLO.length, `${length} bytes`);
  }
});

test('lengths that do not fit each other are no hello', (t) => {
  for (const [at, value] of [
    [0, 0x00],
    [1, HELLO.length],
    [2, 4],
    [3, 2],
    [4, 9],
    [6, 8],
    [8, 15],
    [10, 15],
  ] as const) {
    const other = HELLO.slice();
    other[at] = value;
    t.is(sslv2HelloLength(other), 0, `byte ${at}`);
  }
});

test('lengths that lie are named', (t) => {
  const lying = HELLO.slice();
  lying[6] = 0xff;
  t.is(
    parseSslv2ClientHello(lying).error,
    `sslv2.cipher_specs at offset 11: 255 bytes expected, ${HELLO.length - 11} left`,
  );
  t.is(parseSslv2ClientHello(concat(HELLO, bytes(0))).error, `sslv2 at offset ${HELLO.length}: 1 byte left over`);
});

test('any bytes are read without an exception', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), (message) => {
      const { hello, error } = parseSslv2ClientHello(message);
      t.true(hello !== null || error !== null);
    }),
  );
});
