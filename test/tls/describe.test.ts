import test from 'ava';
import fc from 'fast-check';
import { describeHello, type DescribeOptions, type Fingerprints, type Tls } from '../../src/tls/describe.js';
import { FingerprintCache } from '../../src/tls/fingerprint-cache.js';
import type { Handshake } from '../../src/snapshot/schema/handshake.js';
import {
  ascii,
  bytes,
  clientHello,
  clientHelloBody,
  concat,
  extension,
  fromHex,
  handshake,
  RETRY_RANDOM,
  serverHello,
  sslv2ClientHello,
  u16,
  u24,
  vector16,
} from './wire.js';

const CLIENT: DescribeOptions = { kind: 'client', transport: 'tcp', sslv2: false };
const SERVER: DescribeOptions = { kind: 'server', transport: 'tcp', sslv2: false };

/** RFC 8448, section 3: the hellos of the simple 1-RTT handshake. */
const RFC8448_CLIENT = fromHex(`
  010000c00303cb34ecb1e78163ba1c38c6dacb196a6dffa21a8d9912ec18a2ef6283024dece7000006130113031302010000910000000b
  0009000006736572766572ff01000100000a00140012001d001700180019010001010102010301040023000000330026002400
  1d002099381de560e4bd43d23d8e435a7dbafeb3c06e51c13cae4d5413691e529aaf2c002b0003020304000d0020001e040305030603
  020308040805080604010501060102010402050206020202002d00020101001c00024001`);
const RFC8448_SERVER = fromHex(`
  020000560303a6af06a4121860dc5e6e60249cd34c95930c8ac5cb1434dac155772ed3e2692800130100002e00330024001d0020
  c9828876112095fe66762bdbf7c672e156d6cc253b833df1dd69b1b04e751f0f002b00020304`);

const RICH = clientHello({
  cipherSuites: [0x1a1a, 0x1301, 0xc02b],
  extensions: [
    extension.empty(0x2a2a),
    extension.serverName('example.org'),
    extension.groups([0x3a3a, 29, 23]),
    extension.pointFormats([0]),
    extension.signatureAlgorithms([0x0403, 0x0804]),
    extension.alpn(['h2', 'http/1.1']),
    extension.supportedVersions([0x4a4a, 0x0304, 0x0303]),
    extension.empty(0xfe0d),
  ],
});

test('the types are those of the timeline', (t) => {
  // Checked by the compiler, both ways.
  const forth = (tls: Tls, fingerprints: Fingerprints): Pick<Handshake, 'tls' | 'fingerprints'> => ({
    tls,
    fingerprints,
  });
  const back = (
    tls: NonNullable<Handshake['tls']>,
    fingerprints: NonNullable<Handshake['fingerprints']>,
  ): { tls: Tls; fingerprints: Fingerprints } => ({ tls, fingerprints });
  t.is(forth.length, back.length);
});

test("RFC 8448's ClientHello is read as the RFC lists it", (t) => {
  const { tls, error } = describeHello(RFC8448_CLIENT, CLIENT);
  t.is(error, null);
  t.deepEqual(tls, {
    legacyVersion: 771,
    version: 'TLS 1.3',
    serverName: 'server',
    alpn: [],
    cipherSuites: [0x1301, 0x1303, 0x1302],
    extensions: [0, 65281, 10, 35, 51, 43, 13, 45, 28],
    supportedGroups: [29, 23, 24, 25, 256, 257, 258, 259, 260],
    pointFormats: [],
    signatureAlgorithms: [
      0x0403, 0x0503, 0x0603, 0x0203, 0x0804, 0x0805, 0x0806, 0x0401, 0x0501, 0x0601, 0x0201, 0x0402, 0x0502, 0x0602,
      0x0202,
    ],
    ech: false,
  });
});

test("RFC 8448's ServerHello is read as the RFC lists it", (t) => {
  const { tls, fingerprints, error, helloRetryRequest } = describeHello(RFC8448_SERVER, SERVER);
  t.is(error, null);
  t.false(helloRetryRequest);
  t.like(tls, { legacyVersion: 771, version: 'TLS 1.3', cipherSuites: [0x1301], extensions: [51, 43] });
  t.is(fingerprints?.ja3sString, '771,4865,51-43');
  // md5sum of the string.
  t.is(fingerprints?.ja3s, 'eb1d94daa7e0344597e756a1fb6e7054');
});

test('every field of a hello with GREASE, ALPN and ECH is there, in wire order', (t) => {
  const { tls, fingerprints, error } = describeHello(RICH, CLIENT);
  t.is(error, `encrypted_client_hello.type at offset ${RICH.length}: 1 byte expected, 0 left`);
  t.deepEqual(tls, {
    legacyVersion: 771,
    version: 'TLS 1.3',
    serverName: 'example.org',
    alpn: ['h2', 'http/1.1'],
    cipherSuites: [0x1a1a, 0x1301, 0xc02b],
    extensions: [0x2a2a, 0, 10, 11, 13, 16, 43, 0xfe0d],
    supportedGroups: [0x3a3a, 29, 23],
    pointFormats: [0],
    signatureAlgorithms: [0x0403, 0x0804],
    ech: true,
  });
  t.is(fingerprints?.ja3String, '771,4865-49195,0-10-11-13-16-43-65037,29-23,0');
});

test('a HelloRetryRequest is marked and has no fingerprint', (t) => {
  const described = describeHello(serverHello({ random: RETRY_RANDOM }), SERVER);
  t.like(described, { helloRetryRequest: true, fingerprints: null, error: null });
  t.true(described.tls?.helloRetryRequest);
});

test('the version is the one selected, or the highest offered, drafts included', (t) => {
  const version = (spec: Parameters<typeof clientHello>[0]): unknown =>
    describeHello(clientHello(spec), CLIENT).tls?.version;
  t.is(version({ extensions: null }), 'TLS 1.2');
  t.is(version({ legacyVersion: 0x0300, extensions: null }), 'SSL 3.0');
  t.is(version({ extensions: [extension.supportedVersions([0xeaea])] }), 'TLS 1.2');
  t.is(version({ extensions: [extension.supportedVersions([0x7f1c, 0x0303])] }), 'TLS 1.3 draft 28');
  t.is(version({ legacyVersion: 0x1234, extensions: null }), null);
});

test('a ServerHello of an early TLS 1.3 draft has neither session id nor compression method', (t) => {
  const body = concat(
    u16(0x7f12),
    RETRY_RANDOM.toReversed(),
    u16(0x1301),
    vector16(concat(u16(40), vector16(bytes()))),
  );
  const { tls, fingerprints, error } = describeHello(handshake(2, body), SERVER);
  t.is(error, null);
  t.like(tls, { version: 'TLS 1.3 draft 18', cipherSuites: [0x1301], extensions: [40] });
  t.is(fingerprints?.ja3sString, '32530,4865,40');
});

test('a ServerHello that claims 0x0304 has the layout of any other, and its JA3S that version', (t) => {
  // The layout of RFC 8446, section 4.1.3; tshark 4.0 reads such a hello so, too.
  const message = serverHello({
    legacyVersion: 0x0304,
    cipherSuites: [0x1301],
    extensions: [extension.selectedVersion(0x0304), [51, bytes(0, 0x1d)]],
  });
  const { fingerprints, error } = describeHello(message, SERVER);
  t.is(error, null);
  t.is(fingerprints?.ja3sString, '772,4865,43-51');
});

test('an SSLv2 hello has its suites below 65536 and no fingerprints', (t) => {
  const described = describeHello(sslv2ClientHello(0x0301, [0x010080, 0x00002f, 0x0000ff]), { ...CLIENT, sslv2: true });
  t.like(described, { fingerprints: null, error: null });
  t.like(described.tls, { legacyVersion: 0x0301, version: 'TLS 1.0', cipherSuites: [0x2f, 0xff], extensions: [] });
});

test('a DTLS hello is read behind its longer header and its cookie', (t) => {
  const body = clientHelloBody({ legacyVersion: 0xfefd, extensions: [extension.groups([29])] }, bytes(1, 2, 3));
  const message = concat(bytes(1), u24(body.length), u16(1), u24(0), u24(body.length), body);
  const { tls, fingerprints, error } = describeHello(message, { ...CLIENT, transport: 'dtls' });
  t.is(error, null);
  t.like(tls, { version: 'DTLS 1.2', supportedGroups: [29] });
  t.is(fingerprints?.ja3String, '65277,4865-4866,10,29,');
  t.true(fingerprints?.ja4?.startsWith('dd2i0201'));
});

test('server names keep every byte', (t) => {
  const name = '\x00 ü\xff"\n';
  t.is(describeHello(clientHello({ extensions: [extension.serverName(name)] }), CLIENT).tls?.serverName, name);
  const long = 'a'.repeat(5000);
  t.is(describeHello(clientHello({ extensions: [extension.serverName(long)] }), CLIENT).tls?.serverName, long);
});

test('of an extension that comes twice the first counts', (t) => {
  const extensions = [
    extension.serverName('first'),
    extension.serverName('second'),
    extension.groups([1]),
    extension.groups([2]),
  ];
  const { tls } = describeHello(clientHello({ extensions }), CLIENT);
  t.like(tls, { serverName: 'first', supportedGroups: [1], extensions: [0, 0, 10, 10] });
});

test('a length that lies inside an extension is named, and its neighbours and the fingerprints stay', (t) => {
  const extensions = [[0, fromHex('00ff00')] as const, extension.groups([29])];
  const { tls, fingerprints, error } = describeHello(clientHello({ extensions }), CLIENT);
  t.is(error, 'server_name.list at offset 55: 255 bytes expected, 1 left');
  t.like(tls, { serverName: null, supportedGroups: [29], extensions: [0, 10] });
  t.is(fingerprints?.ja3String, '771,4865-4866,0-10,29,');
});

test('odd list lengths and bytes left over are named, and the fingerprints stay', (t) => {
  const odd = clientHello({ extensions: [[10, vector16(bytes(0, 29, 0))]] });
  t.is(describeHello(odd, CLIENT).error, 'supported_groups at offset 57: odd length, one byte left over');
  t.is(describeHello(odd, CLIENT).fingerprints?.ja3String, '771,4865-4866,10,29,');

  const more = concat(clientHello(), bytes(1, 2));
  t.is(describeHello(more, CLIENT).error, `handshake at offset ${more.length - 2}: 2 bytes left over`);
  t.truthy(describeHello(more, CLIENT).fingerprints);
});

test('the extension block that ends early yields no fingerprint', (t) => {
  const message = clientHello({ extensions: [extension.groups([29]), extension.pointFormats([0])] });
  const cut = concat(bytes(1), u24(message.length - 5), message.subarray(4, -1));
  const { tls, fingerprints, error } = describeHello(cut, CLIENT);
  t.is(fingerprints, null);
  t.deepEqual(tls?.extensions, [10, 11]);
  t.regex(error ?? '', /^client_hello\.extensions at offset \d+: \d+ bytes expected, \d+ left$/);
});

test('another message than the one asked for is an error', (t) => {
  t.like(describeHello(serverHello(), CLIENT), {
    tls: null,
    fingerprints: null,
    error: 'handshake.type at offset 0: 2, not 1',
  });
  t.like(describeHello(bytes(), CLIENT), { tls: null, error: 'handshake.type at offset 0: 1 byte expected, 0 left' });
});

test('every prefix of a hello is described without an exception, with an error, and without a fingerprint', (t) => {
  for (const [message, options] of [
    [RFC8448_CLIENT, CLIENT],
    [RFC8448_SERVER, SERVER],
    [RICH, CLIENT],
    [sslv2ClientHello(), { ...CLIENT, sslv2: true }],
  ] as const) {
    for (let length = 0; length < message.length; length++) {
      const { fingerprints, error } = describeHello(message.subarray(0, length), options);
      t.is(fingerprints, null);
      t.regex(error ?? '', / at offset \d+: /);
    }
  }
});

test('what a cache answers is what is computed without one', (t) => {
  const values = fc.array(fc.constantFrom(1, 2, 3, 0x0a0a, 0x1301), { maxLength: 4 });
  const spec = fc.record({
    cipherSuites: values,
    extensions: fc.array(
      fc.oneof(
        values.map((list) => extension.groups(list)),
        values.map((list) => extension.signatureAlgorithms(list)),
        values.map((list) => extension.supportedVersions(list)),
        fc.constantFrom(extension.alpn(['h2']), extension.alpn(['h3']), extension.serverName('a'), extension.empty(21)),
      ),
      { maxLength: 4 },
    ),
  });
  const cache = new FingerprintCache(16);
  fc.assert(
    fc.property(spec, fc.constantFrom('tcp' as const, 'quic' as const), (hello, transport) => {
      const message = clientHello(hello);
      t.deepEqual(
        describeHello(message, { ...CLIENT, transport, cache }),
        describeHello(message, { ...CLIENT, transport }),
      );
      const answer = serverHello({ cipherSuites: hello.cipherSuites, extensions: hello.extensions });
      t.deepEqual(describeHello(answer, { ...SERVER, cache }), describeHello(answer, SERVER));
    }),
    { numRuns: 500 },
  );
});

const anyOptions = fc.record({
  kind: fc.constantFrom('client' as const, 'server' as const),
  transport: fc.constantFrom('tcp' as const, 'quic' as const, 'dtls' as const),
  sslv2: fc.boolean(),
});

test('any bytes are described without an exception', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), anyOptions, (message, options) => {
      const { error, fingerprints } = describeHello(message, options);
      t.true(error === null || error.includes(' at offset '));
      if (fingerprints?.ja4 !== undefined) t.regex(fingerprints.ja4, JA4);
    }),
    { numRuns: 2000 },
  );
});

test('a hello with flipped bits is described without an exception', (t) => {
  const flips = fc.array(fc.tuple(fc.nat(RICH.length - 1), fc.integer({ min: 1, max: 255 })), {
    minLength: 1,
    maxLength: 8,
  });
  fc.assert(
    fc.property(flips, fc.constantFrom(RICH, RFC8448_CLIENT), (list, original) => {
      const message = original.slice();
      for (const [at, mask] of list) message[at % message.length] = (message[at % message.length] ?? 0) ^ mask;
      const { error, fingerprints } = describeHello(message, CLIENT);
      t.true(error === null || error.includes(' at offset '));
      if (fingerprints?.ja4 !== undefined) t.regex(fingerprints.ja4, JA4);
    }),
    { numRuns: 3000 },
  );
});

test('lists of the greatest length are read', (t) => {
  const suites = Array.from({ length: 32767 }, (_, index) => (index * 7919) & 0xffff);
  const { fingerprints } = describeHello(clientHello({ cipherSuites: suites, extensions: null }), CLIENT);
  t.is(fingerprints?.ja4?.slice(4, 6), '99');
});

test('ALPN names keep every byte', (t) => {
  const { tls } = describeHello(clientHello({ extensions: [extension.alpn(['\xba\xad', 'http/1.1'])] }), CLIENT);
  t.deepEqual(
    tls?.alpn.map((name) => Buffer.from(ascii(name)).toString('hex')),
    ['baad', '687474702f312e31'],
  );
});

const JA4 = /^[tqd](13|12|11|10|s3|s2|d1|d2|d3|00)[di]\d{4}[0-9A-Za-z]{2}_[0-9a-f]{12}_[0-9a-f]{12}$/;
