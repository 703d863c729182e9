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
  t.deepEqual(finder.push(dtlsRecord(dtlsFragment(2, 2, serverHello().subarray(4)))), []);
});

// RFC 6347, section 4.2.8: a client may begin another association between the same ports, and its first message is number 0 again.
// Section 4.2.1: the random stays the same where the cookie is sent back; RFC 8446, section 4.1.2: also after a HelloRetryRequest.
const other = (byte: number): { body: Uint8Array; server: Uint8Array } => {
  const random = new Uint8Array(32).fill(byte);
  return {
    body: clientHelloBody({ legacyVersion: 0xfefd, random, extensions: [extension.groups([29, 23])] }, bytes()),
    server: serverHello({ random }).subarray(4),
  };
};
const randomsOf = (found: readonly DtlsHello[]): string[] =>
  found.map(({ kind, complete, raw, afterRetry }) =>
    [kind, complete ? 'whole' : 'cut', raw[14]?.toString(16), ...(afterRetry ? ['after retry'] : [])].join(' '),
  );

test('a ClientHello with another random begins another association, whether the one before was answered or not', (t) => {
  const [first, second] = [other(1).body, other(2).body];
  const twice = [first, second].flatMap((body) => [
    dtlsRecord(dtlsFragment(1, 0, body)),
    dtlsRecord(dtlsFragment(1, 0, body)),
    dtlsRecord(dtlsFragment(1, 1, body)),
    dtlsRecord(dtlsFragment(1, 1, body)),
  ]);
  t.deepEqual(randomsOf(feed(twice)), [
    'client whole 1',
    'client whole 1 after retry',
    'client whole 2',
    'client whole 2 after retry',
  ]);
  const many = Array.from({ length: 20 }, (_, index) => dtlsRecord(dtlsFragment(1, 0, other(index + 1).body)));
  t.is(feed(many).length, 20);
});

test('the fragments of a second association are told from those sent again, whatever their size and order', (t) => {
  const [first, second] = [other(1).body, other(2).body];
  const cut = fc.record({
    cuts: fc.uniqueArray(fc.integer({ min: 1, max: first.length - 1 }), { maxLength: 8 }),
    order: fc.infiniteStream(fc.nat()),
  });
  const fragments = (body: Uint8Array, { cuts, order }: { cuts: number[]; order: Iterator<number> }): Uint8Array[] => {
    const edges = [0, ...cuts.sort((a, b) => a - b), body.length];
    return edges
      .slice(1)
      .map((end, index) => dtlsRecord(dtlsFragment(1, 0, body, edges[index], end)))
      .sort(() => (Number(order.next().value ?? 0) % 2) - 0.5);
  };
  fc.assert(
    fc.property(fc.tuple(cut, cut, cut, cut), ([one, two, three, four]) => {
      const finder = new DtlsFinder();
      const found = [
        ...fragments(first, one),
        ...fragments(first, two),
        ...fragments(second, three),
        ...fragments(second, four),
      ].flatMap((datagram) => finder.push(datagram));
      t.deepEqual(randomsOf(found), ['client whole 1', 'client whole 2']);
      t.is(finder.heldBytes, 0);
      t.deepEqual(finder.end(), []);
    }),
  );
});

test('what was not whole when another association began comes out as far as it reaches', (t) => {
  const [first, second] = [other(1).body, other(2).body];
  const begun = dtlsRecord(dtlsFragment(1, 0, first, 0, 40));
  t.deepEqual(randomsOf(feed([begun, dtlsRecord(dtlsFragment(1, 0, second))])), ['client cut 1', 'client whole 2']);
  // Another length is another message, also where the random has not come.
  const [, cut, ...more] = feed([dtlsRecord(WHOLE), dtlsRecord(dtlsFragment(1, 0, new Uint8Array(900), 500))]);
  t.is(cut?.error, 'handshake.fragment at offset 0: 500 of 900 bytes are missing');
  t.deepEqual(more, []);
});

test('a ServerHello with another random than the one before is of another association, and each is told once', (t) => {
  const retry = serverHello({ random: RETRY_RANDOM }).subarray(4);
  const hellos = (seq: number, body: Uint8Array): Uint8Array[] => [
    dtlsRecord(dtlsFragment(2, seq, body)),
    dtlsRecord(dtlsFragment(2, seq, body)),
  ];
  const once = (byte: number): Uint8Array[] => [...hellos(0, retry), ...hellos(1, other(byte).server)];
  t.deepEqual(randomsOf(feed([...once(1), ...once(2), ...hellos(1, other(3).server), ...hellos(0, other(4).server)])), [
    'server whole cf',
    'server whole 1 after retry',
    'server whole cf',
    'server whole 2 after retry',
    'server whole 3 after retry',
    'server whole 4',
  ]);
});

test('a side that was the server of one association can be the client of the next', (t) => {
  const found = feed([
    dtlsRecord(dtlsFragment(2, 0, other(1).server)),
    dtlsRecord(dtlsFragment(1, 0, other(2).body)),
    dtlsRecord(dtlsFragment(2, 0, other(3).server)),
  ]);
  t.deepEqual(randomsOf(found), ['server whole 1', 'client whole 2', 'server whole 3']);
  const both = feed([2, 1].map((type) => dtlsRecord(dtlsFragment(type, 0, other(1).server))));
  t.deepEqual(randomsOf(both), ['server whole 1', 'client whole 1']);
});

test('the time of a hello is that of its first fragment, not of one that was sent again before it', (t) => {
  const finder = new DtlsFinder();
  const times = [
    WHOLE,
    WHOLE,
    dtlsFragment(1, 1, BODY, 30),
    dtlsFragment(1, 1, BODY, 0, 30),
    dtlsFragment(1, 0, other(1).body),
  ].flatMap((fragment, index) => finder.push(dtlsRecord(fragment), BigInt(index)).map(({ timeNs }) => timeNs));
  t.deepEqual(times, [0n, 2n, 4n]);
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

test('a hello is found behind any number of datagrams without one', (t) => {
  const others = [ascii('no record'), dtlsRecord(dtlsFragment(3, 0, bytes(0xfe, 0xff, 0)))];
  const many = Array.from({ length: 50 }, () => others).flat();
  t.deepEqual(
    feed([...many, dtlsRecord(WHOLE)]).map(({ raw }) => hex(raw)),
    [hex(WHOLE)],
  );
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
