import test from 'ava';
import fc from 'fast-check';
import { HelloFinder, type FoundHello } from '../../src/tls/hello-finder.js';
import {
  ascii,
  bytes,
  CHANGE_CIPHER_SPEC,
  chunks,
  clientHello,
  concat,
  extension,
  record,
  records,
  RETRY_RANDOM,
  serverHello,
  sslv2ClientHello,
} from './wire.js';

const CLIENT = clientHello({
  extensions: [extension.serverName('example.org'), extension.supportedVersions([0x0304])],
});
const SERVER = serverHello();
const RETRY = serverHello({ random: RETRY_RANDOM });

function findAll(segments: readonly Uint8Array[], options = {}): FoundHello[] {
  const finder = new HelloFinder(options);
  const found = segments.flatMap((segment) => finder.push(segment));
  return [...found, ...finder.end()];
}

const hex = (data: Uint8Array): string => Buffer.from(data).toString('hex');

test('a hello behind a PROXY header is found, in one segment with it or in the next', (t) => {
  // The specification's own line and the binary form of sections 2.1 and 2.2, and the longest line that it allows.
  const signature = '0d0a0d0a000d0a515549540a';
  for (const header of [
    ascii('PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n'),
    ascii(`PROXY UNKNOWN ${'f'.repeat(91)}\r\n`),
    Buffer.from(`${signature}2111000cc0000201c6336407dc0401bb`, 'hex'),
    Buffer.from(`${signature}20000000`, 'hex'),
  ]) {
    for (const segments of [[concat(header, records(CLIENT))], [header, records(CLIENT)]]) {
      const [hello, ...more] = findAll(segments);
      t.is(more.length, 0);
      t.is(hello?.streamOffset, header.length);
      t.is(hex(hello?.raw ?? bytes()), hex(CLIENT));
    }
  }
  t.deepEqual(findAll([concat(ascii(`PROXY ${'f'.repeat(101)}\n`), records(CLIENT))]), []);
});

test('a hello in one record in one segment is found without a copy', (t) => {
  const segment = records(CLIENT);
  const [hello, ...more] = new HelloFinder().push(segment);
  t.is(more.length, 0);
  t.is(hello?.raw.buffer, segment.buffer);
  t.is(hex(hello?.raw ?? bytes()), hex(CLIENT));
  t.like(hello, {
    kind: 'client',
    complete: true,
    segments: 1,
    records: 1,
    streamOffset: 0,
    sslv2: false,
    error: null,
  });
});

test('a hello in 1-byte segments is found whole', (t) => {
  const stream = records(CLIENT);
  const [hello, ...more] = findAll(chunks(stream, 1));
  t.is(more.length, 0);
  t.is(hex(hello?.raw ?? bytes()), hex(CLIENT));
  t.like(hello, { complete: true, segments: stream.length, records: 1, streamOffset: 0 });
});

test('a hello over many records is found whole and its records are counted', (t) => {
  for (const size of [1, 2, 3, 4, 5, 6, 17]) {
    const [hello] = findAll([records(CLIENT, size)]);
    t.is(hex(hello?.raw ?? bytes()), hex(CLIENT));
    t.like(hello, { complete: true, segments: 1, records: Math.ceil(CLIENT.length / size) });
  }
});

test('segments and records cut in any way give the same hello', (t) => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 60 }), fc.array(fc.integer({ min: 1, max: 40 })), (size, cuts) => {
      const stream = concat(records(CLIENT, size), CHANGE_CIPHER_SPEC, record(23, bytes(1, 2, 3)));
      const segments: Uint8Array[] = [];
      let at = 0;
      for (const cut of cuts) {
        if (at >= stream.length) break;
        segments.push(stream.subarray(at, at + cut));
        at += cut;
      }
      if (at < stream.length) segments.push(stream.subarray(at));
      const found = findAll(segments);
      t.is(found.length, 1);
      t.is(hex(found[0]?.raw ?? bytes()), hex(CLIENT));
      t.true(found[0]?.complete);
    }),
  );
  t.pass();
});

test('hellos after STARTTLS, CONNECT, SOCKS and an SSLRequest are found', (t) => {
  const preludes = {
    smtp: ['EHLO client.example\r\n', 'STARTTLS\r\n'],
    connect: ['CONNECT example.org:443 HTTP/1.1\r\nHost: example.org:443\r\n\r\n'],
    socks5: ['\x05\x01\x00', '\x05\x01\x00\x03\x0bexample.org\x01\xbb'],
    postgresql: ['\x00\x00\x00\x08\x04\xd2\x16\x2f'],
  };
  for (const [name, texts] of Object.entries(preludes)) {
    const before = texts.map(ascii);
    const offset = concat(...before).length;
    for (const size of [1, 7, 1460]) {
      const found = findAll([...before, ...chunks(records(CLIENT), size)]);
      t.is(found.length, 1, name);
      t.like(found[0], { streamOffset: offset, complete: true }, name);
      t.is(hex(found[0]?.raw ?? bytes()), hex(CLIENT), name);
    }
  }
});

test('the hellos before and after a HelloRetryRequest are found, in separate segments and in one', (t) => {
  const client = [records(CLIENT), CHANGE_CIPHER_SPEC, records(CLIENT)];
  const server = [concat(records(RETRY), CHANGE_CIPHER_SPEC), concat(records(SERVER), record(23, bytes(9)))];
  for (const segments of [client, server, [concat(...client)], [concat(...server)], chunks(concat(...server), 1)]) {
    t.is(findAll(segments).filter(({ complete }) => complete).length, 2);
  }
});

test('the search ends with the ServerHello, but not with a HelloRetryRequest', (t) => {
  const finder = new HelloFinder();
  finder.push(records(RETRY));
  t.false(finder.done);
  finder.push(records(SERVER));
  t.true(finder.done);
});

test('a ServerHello in one record with the messages after it is found', (t) => {
  const certificate = concat(bytes(11, 0, 0, 3), bytes(0, 0, 0));
  const [hello] = findAll([record(22, concat(SERVER, certificate), 0x0303)]);
  t.is(hex(hello?.raw ?? bytes()), hex(SERVER));
});

test('an SSLv2 hello is found at the start of the stream only, with its record header', (t) => {
  const hello = sslv2ClientHello();
  for (const segments of [[hello], chunks(hello, 1), chunks(hello, 5)]) {
    const found = findAll(segments);
    t.is(found.length, 1);
    t.is(hex(found[0]?.raw ?? bytes()), hex(hello));
    t.like(found[0], { kind: 'client', sslv2: true, complete: true, streamOffset: 0, segments: segments.length });
  }
  t.deepEqual(findAll([ascii('hello\r\n'), hello]), []);
});

test('a stream that ends inside a hello gives what there was', (t) => {
  const stream = records(CLIENT);
  const [hello] = findAll([stream.subarray(0, 60)]);
  t.is(hex(hello?.raw ?? bytes()), hex(CLIENT.subarray(0, 55)));
  t.like(hello, {
    complete: false,
    error: `stream at offset 60: ends, ${CLIENT.length - 55} bytes before the hello does`,
  });
});

test('bytes lost inside a hello end it; a hello behind lost bytes is found', (t) => {
  const finder = new HelloFinder();
  const stream = records(CLIENT);
  t.deepEqual(finder.push(stream.subarray(0, 20)), []);
  const [cut] = finder.gap(10);
  t.like(cut, { complete: false, error: 'stream at offset 20: 10 bytes lost inside the hello' });
  const [whole] = finder.push(stream, 1000);
  t.like(whole, { complete: true, streamOffset: 1000 });
});

test('bytes before the expected offset are passed over', (t) => {
  const finder = new HelloFinder();
  const stream = records(CLIENT);
  finder.push(stream.subarray(0, 30), 0);
  const [hello] = finder.push(stream.subarray(10), 10);
  t.is(hex(hello?.raw ?? bytes()), hex(CLIENT));
});

test('a record of another type inside a hello ends it, and the search goes on behind that record', (t) => {
  const broken = concat(record(22, CLIENT.subarray(0, 20)), record(21, bytes(2, 10)), records(CLIENT));
  const found = findAll([broken]);
  t.deepEqual(
    found.map(({ complete }) => complete),
    [false, true],
  );
  t.is(found[0]?.error, 'record at stream offset 25: content type 21 inside a hello');
});

test('a hello longer than 128 KiB is refused at once', (t) => {
  const [hello] = findAll([record(22, concat(bytes(1, 0xff, 0xff, 0xff), bytes(3, 3)))]);
  t.like(hello, {
    complete: false,
    error: 'handshake.length at offset 1: a hello of 16777219 bytes, at most 131072 are kept',
  });
});

test('plain HTTP and random bytes give no hello, and the search ends with its budget', (t) => {
  const finder = new HelloFinder({ segmentBudget: 3 });
  for (let turn = 0; turn < 3; turn++) {
    t.false(finder.done);
    t.deepEqual(finder.push(ascii('GET / HTTP/1.1\r\nHost: example.org\r\n\r\n')), []);
  }
  t.true(finder.done);
  t.deepEqual(finder.push(records(CLIENT)), []);
});

test('a hello that starts in the last segment of the budget is found', (t) => {
  const prelude = Array.from({ length: 23 }, () => ascii('x'));
  t.is(findAll([...prelude, records(CLIENT)]).length, 1);
  t.is(findAll([...prelude, ascii('x'), records(CLIENT)]).length, 0);
});

test('endless hellos come to an end', (t) => {
  const stream = concat(...Array.from({ length: 50 }, () => records(CLIENT)));
  t.is(findAll([stream]).length, 4);
});

test('any bytes in any segments are taken without an exception, and no hello is longer than what came', (t) => {
  const piece = fc.oneof(
    fc.uint8Array({ maxLength: 64 }),
    fc.constant(records(CLIENT)),
    fc.constant(records(SERVER, 7)),
    fc.constant(bytes(22, 3, 1)),
    fc.constant(CHANGE_CIPHER_SPEC),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 30 }), fc.array(fc.nat(2000), { maxLength: 5 }), (segments, gaps) => {
      const finder = new HelloFinder();
      const found: FoundHello[] = [];
      for (const [index, segment] of segments.entries()) {
        found.push(...finder.push(segment));
        if (index < gaps.length) found.push(...finder.gap(gaps[index] ?? 0));
      }
      found.push(...finder.end());
      const total = concat(...segments).length;
      for (const hello of found) {
        t.true(hello.raw.length <= total);
        t.is(hello.complete, hello.error === null);
      }
    }),
  );
  t.pass();
});
