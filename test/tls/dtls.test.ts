import test from 'ava';
import fc from 'fast-check';
import { describeHello } from '../../src/tls/describe.js';
import { DtlsFinder, holdsDtlsHello, type DtlsHello } from '../../src/tls/dtls.js';
import {
  ascii,
  bytes,
  clientHelloBody,
  concat,
  dtlsFragment,
  dtlsRecord,
  extension,
  RETRY_RANDOM,
  serverHello,
  u16,
  u24,
} from './wire.js';

const BODY = clientHelloBody({ legacyVersion: 0xfefd, extensions: [extension.groups([29, 23])] }, bytes());

const WHOLE = dtlsFragment(1, 0, BODY);
const hex = (data: Uint8Array | undefined): string => Buffer.from(data ?? bytes()).toString('hex');
const feed = (datagrams: readonly Uint8Array[]): DtlsHello[] => {
  const finder = new DtlsFinder();
  return [...datagrams.flatMap((datagram) => finder.push(datagram)), ...finder.end()];
};

test('a hello in one fragment is found without a copy', (t) => {
  const datagram = dtlsRecord(WHOLE);
  const [hello, ...more] = new DtlsFinder().push(datagram);
  t.is(more.length, 0);
  t.is(hello?.raw.buffer, datagram.buffer);
  t.is(hex(hello?.raw), hex(WHOLE));
  t.like(hello, { kind: 'client', complete: true, segments: 1, records: 1, streamOffset: null, afterRetry: false });
});

test('fragments in any order, overlapping and repeated, give the hello as if sent in one', (t) => {
  const ranges = fc.array(fc.tuple(fc.nat(BODY.length), fc.nat(BODY.length)), { maxLength: 12 });
  fc.assert(
    fc.property(ranges, (list) => {
      const cuts = list.map(([from, to]) => [Math.min(from, to), Math.max(from, to)] as const);
      const cover = [[40, BODY.length] as const, [0, 45] as const];
      const datagrams = [...cuts, ...cover].map(([from, to]) => dtlsRecord(dtlsFragment(1, 0, BODY, from, to)));
      const found = feed(datagrams);
      t.is(found.length, 1);
      t.true(found[0]?.complete);
      t.is(hex(found[0]?.raw), hex(WHOLE));
    }),
  );
});

test('several fragments in one record and several records in one datagram are read', (t) => {
  const pieces = [dtlsFragment(1, 0, BODY, 0, 20), dtlsFragment(1, 0, BODY, 20, 40), dtlsFragment(1, 0, BODY, 40)];
  const [together] = feed([dtlsRecord(concat(...pieces))]);
  t.like(together, { complete: true, segments: 1, records: 1 });
  const [apart] = feed([concat(...pieces.map((piece) => dtlsRecord(piece)))]);
  t.like(apart, { complete: true, segments: 1, records: 3 });
  const [spread] = feed(pieces.map((piece) => dtlsRecord(piece)));
  t.like(spread, { complete: true, segments: 3, records: 3 });
});

test('the hello with the cookie is one after a retry; a retransmission is not another hello', (t) => {
  const found = feed([dtlsRecord(WHOLE), dtlsRecord(WHOLE), dtlsRecord(dtlsFragment(1, 1, BODY))]);
  t.deepEqual(
    found.map(({ afterRetry }) => afterRetry),
    [false, true],
  );
});

test('the search ends with the ServerHello, but not with a HelloRetryRequest', (t) => {
  const finder = new DtlsFinder();
  const [retry] = finder.push(dtlsRecord(dtlsFragment(2, 0, serverHello({ random: RETRY_RANDOM }).subarray(4))));
  t.like(retry, { helloRetryRequest: true, afterRetry: false });
  t.false(finder.done);
  const [hello] = finder.push(dtlsRecord(dtlsFragment(2, 1, serverHello().subarray(4))));
  t.like(hello, { helloRetryRequest: false, afterRetry: true });
  t.true(finder.done);
});

test('a hello that lacks a fragment comes out at the end as far as it reaches', (t) => {
  const [hello] = feed([dtlsRecord(dtlsFragment(1, 0, BODY, 0, 30)), dtlsRecord(dtlsFragment(1, 0, BODY, 40))]);
  t.like(hello, {
    complete: false,
    error: `handshake.fragment at offset 30: 10 of ${BODY.length} bytes are missing`,
  });
  t.is(hex(hello?.raw), hex(WHOLE.subarray(0, 42)));
  const [headless] = feed([dtlsRecord(dtlsFragment(1, 0, BODY, 40)), dtlsRecord(dtlsFragment(1, 0, BODY, 45))]);
  t.is(headless?.error, `handshake.fragment at offset 0: 40 of ${BODY.length} bytes are missing`);
  t.is(hex(headless?.raw), hex(WHOLE.subarray(0, 12)));
  const { tls, fingerprints } = describeHello(hello?.raw ?? bytes(), {
    kind: 'client',
    transport: 'dtls',
    sslv2: false,
  });
  t.is(tls?.legacyVersion, 0xfefd);
  t.is(fingerprints, null);
});

test('a hello that its datagram was cut in comes out as far as it reaches, or whole with the next that has it', (t) => {
  const cut = dtlsRecord(WHOLE).subarray(0, 13 + 12 + 30);
  const [hello, ...more] = feed([cut]);
  t.is(more.length, 0);
  t.like(hello, {
    complete: false,
    error: `handshake.fragment at offset 30: ${BODY.length - 30} of ${BODY.length} bytes are missing`,
  });
  t.is(hex(hello?.raw), hex(WHOLE.subarray(0, 12 + 30)));
  t.deepEqual(
    feed([cut, dtlsRecord(WHOLE)]).map(({ complete, raw }) => [complete, hex(raw)]),
    [[true, hex(WHOLE)]],
  );
});

test('encrypted epochs, other content and plain text give nothing', (t) => {
  t.deepEqual(feed([dtlsRecord(WHOLE, { epoch: 1 }), dtlsRecord(WHOLE, { type: 23 }), ascii('GET / HTTP/1.1')]), []);
});

test('a first look tells DTLS hellos from other datagrams', (t) => {
  t.true(holdsDtlsHello(dtlsRecord(WHOLE)));
  t.true(holdsDtlsHello(dtlsRecord(dtlsFragment(3, 0, bytes(0xfe, 0xff, 0)))));
  const alert = dtlsRecord(bytes(2, 40), { type: 21 });
  t.true(holdsDtlsHello(concat(alert, dtlsRecord(WHOLE))));
  t.true(holdsDtlsHello(concat(dtlsRecord(ascii('ends'), { type: 21, epoch: 1 }), dtlsRecord(WHOLE))));
  t.false(holdsDtlsHello(concat(alert, dtlsRecord(WHOLE, { epoch: 1 }))));
  t.false(holdsDtlsHello(concat(alert, ascii('x'), dtlsRecord(WHOLE))));
  t.false(holdsDtlsHello(dtlsRecord(dtlsFragment(11, 2, bytes(0, 0, 0)))));
  t.true(holdsDtlsHello(dtlsRecord(WHOLE).subarray(0, 30)));
  t.false(holdsDtlsHello(dtlsRecord(WHOLE).subarray(0, 24)));
  t.false(holdsDtlsHello(ascii('\x16\x03\x01 not a datagram')));
  fc.assert(fc.property(fc.uint8Array({ maxLength: 100 }), (datagram) => !holdsDtlsHello(datagram)));
});

test('the search ends with its budget', (t) => {
  const finder = new DtlsFinder({ datagramBudget: 2 });
  finder.push(ascii('one'));
  t.false(finder.done);
  finder.push(ascii('two'));
  t.true(finder.done);
});

test('any datagrams are taken without an exception', (t) => {
  const fragment = fc
    .record({
      type: fc.constantFrom(1, 2, 3),
      seq: fc.nat(5),
      length: fc.nat(70000),
      offset: fc.nat(100),
      body: fc.uint8Array({ maxLength: 40 }),
    })
    .map(({ type, seq, length, offset, body }) =>
      dtlsRecord(concat(bytes(type), u24(length), u16(seq), u24(offset), u24(body.length), body)),
    );
  const cut = fc.tuple(fragment, fc.nat(80)).map(([datagram, length]) => datagram.subarray(0, length));
  fc.assert(
    fc.property(fc.array(fc.oneof(fragment, cut, fc.uint8Array({ maxLength: 60 })), { maxLength: 12 }), (datagrams) => {
      for (const hello of feed(datagrams)) {
        t.true(hello.raw.length >= 12);
        t.true(hello.raw.length <= 12 + concat(...datagrams).length);
      }
    }),
    { numRuns: 1000 },
  );
  t.pass();
});
