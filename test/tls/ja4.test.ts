import test from 'ava';
import { parseClientHello, type ClientHello } from '../../src/tls/client-hello.js';
import { ja4Dialects, foxioAlpnJa4, greaseSignatureAlgorithmsJa4, suricataJa4 } from '../../src/tls/dialects.js';
import { ja4, ja4OriginalParts, ja4Parts, ja4Raw, ja4ResumptionStableParts } from '../../src/tls/ja4.js';
import { bytes, clientHello, extension, type HelloSpec } from './wire.js';

/** The hello of FoxIO's technical_details/JA4.md, whose four forms are published there and in FoxIO's own tests. */
const SUITES = [
  0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013, 0xc014, 0x009c, 0x009d, 0x002f,
  0x0035,
];
const ALGORITHMS = [0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601];
const EXTENSIONS = [
  extension.empty(0x001b),
  extension.serverName('example.com'),
  extension.empty(0x0033),
  extension.alpn(['h2']),
  extension.empty(0x4469),
  extension.empty(0x0017),
  extension.empty(0x002d),
  extension.signatureAlgorithms(ALGORITHMS),
  extension.empty(0x0005),
  extension.empty(0x0023),
  extension.empty(0x0012),
  extension.supportedVersions([0x0304, 0x0303]),
  [0xff01, bytes(0)] as const,
  extension.pointFormats([0]),
  extension.groups([29, 23, 24]),
  extension.empty(0x0015),
];
const PUBLISHED: HelloSpec = { cipherSuites: SUITES, extensions: EXTENSIONS };

function parse(spec: HelloSpec): ClientHello {
  const { hello } = parseClientHello(clientHello(spec));
  if (hello === null) throw new Error('the test built something that is no hello');
  return hello;
}

const ja4Of = (spec: HelloSpec): string => ja4(ja4Parts(parse(spec), 'tcp'));
const sectionA = (extensions: HelloSpec['extensions'], rest: HelloSpec = {}): string =>
  ja4Of({ ...rest, ...(extensions === undefined ? {} : { extensions }) }).slice(0, 10);

test('the published vector holds in all four forms', (t) => {
  const hello = parse(PUBLISHED);
  t.is(ja4(ja4Parts(hello, 'tcp')), 't13d1516h2_8daaf6152771_e5627efa2ab1');
  t.is(
    ja4Raw(ja4Parts(hello, 'tcp')),
    't13d1516h2_002f,0035,009c,009d,1301,1302,1303,c013,c014,c02b,c02c,c02f,c030,cca8,cca9_0005,000a,000b,000d,0012,0015,0017,001b,0023,002b,002d,0033,4469,ff01_0403,0804,0401,0503,0805,0501,0806,0601',
  );
  t.is(ja4(ja4OriginalParts(hello, 'tcp')), 't13d1516h2_acb858a92679_18f69afefd3d');
  t.is(
    ja4Raw(ja4OriginalParts(hello, 'tcp')),
    't13d1516h2_1301,1302,1303,c02b,c02f,c02c,c030,cca9,cca8,c013,c014,009c,009d,002f,0035_001b,0000,0033,0010,4469,0017,002d,000d,0005,0023,0012,002b,ff01,000b,000a,0015_0403,0804,0401,0503,0805,0501,0806,0601',
  );
});

test('without signature algorithms the last section ends without an underscore', (t) => {
  // FoxIO's JA4.md gives 6d807ffa2a79 for the same extensions without algorithms.
  const extensions = EXTENSIONS.map((entry) => (entry[0] === 13 ? extension.signatureAlgorithms([]) : entry));
  t.is(ja4Of({ ...PUBLISHED, extensions }), 't13d1516h2_8daaf6152771_6d807ffa2a79');
});

test('GREASE changes nothing', (t) => {
  const extensions = [
    extension.empty(0x5a5a),
    ...EXTENSIONS.map((entry) => {
      if (entry[0] === 13) return extension.signatureAlgorithms([0x6a6a, ...ALGORITHMS]);
      return entry[0] === 43 ? extension.supportedVersions([0xfafa, 0x0304]) : entry;
    }),
    extension.empty(0x8a8a),
  ];
  t.is(ja4Of({ cipherSuites: [0x7a7a, ...SUITES], extensions }), ja4Of(PUBLISHED));
});

test('empty lists are twelve zeros', (t) => {
  t.is(ja4Of({ cipherSuites: [], extensions: null }), 't12i000000_000000000000_000000000000');
  t.is(ja4Of({ cipherSuites: [], extensions: [extension.serverName('a')] }), 't12d000100_000000000000_000000000000');
  t.is(ja4Raw(ja4Parts(parse({ cipherSuites: [], extensions: null }), 'tcp')), 't12i000000__');
});

test('the first characters are those of the transports', (t) => {
  const hello = parse(PUBLISHED);
  t.deepEqual(
    (['tcp', 'quic', 'dtls'] as const).map((transport) => ja4Parts(hello, transport).a[0]),
    ['t', 'q', 'd'],
  );
});

test('versions follow supported_versions, else legacy_version', (t) => {
  const byExtension = (values: number[]): string => sectionA([extension.supportedVersions(values)]).slice(1, 3);
  // FoxIO's JA4.md: legacy_version counts only where the extension is absent, and GREASE names no version.
  t.deepEqual([[], [0x0a0a], [0x7f1c]].map(byExtension), ['00', '00', '00']);
  const byLegacy = (legacyVersion: number): string => sectionA(null, { legacyVersion }).slice(1, 3);
  t.deepEqual([[0x0304], [0x0303, 0x0304], [0x0302], [0x0a0a, 0x0301]].map(byExtension), ['13', '13', '11', '10']);
  t.deepEqual([0x0303, 0x0300, 0x0002, 0xfeff, 0xfefd, 0xfefc, 0x7f1c].map(byLegacy), [
    '12',
    's3',
    's2',
    'd1',
    'd2',
    'd3',
    '00',
  ]);
});

test('counts stop at 99', (t) => {
  const many = Array.from({ length: 120 }, (_, index) => index + 1);
  t.is(
    sectionA(
      many.map((type) => extension.empty(0x8000 + type)),
      { cipherSuites: many },
    ).slice(4, 8),
    '9999',
  );
});

test('ALPN is first and last character, or nibbles', (t) => {
  const alpn = (...names: string[]): string => sectionA([extension.alpn(names)]).slice(8);
  t.is(alpn('h2', 'http/1.1'), 'h2');
  t.is(alpn('http/1.1'), 'h1');
  t.is(alpn(), '00');
  t.is(alpn(''), '00');
  t.is(alpn('a'), 'aa');
  // JA4.md: 0xAB -> "ab", 0x30 0xAB -> "3b", 0x30 0x31 0xAB 0xCD -> "3d", 0x30 0xAB 0xCD 0x31 -> "01".
  t.is(alpn('\xab'), 'ab');
  t.is(alpn('\x30\xab'), '3b');
  t.is(alpn('\x30\x31\xab\xcd'), '3d');
  t.is(alpn('\x30\xab\xcd\x31'), '01');
  t.is(alpn('\xba\xad'), 'bd');
});

test('the resumption-stable form is the same with and without ticket, pre-shared key and padding', (t) => {
  const without = EXTENSIONS.filter(([type]) => type !== 35 && type !== 21);
  const resumed = [...without, extension.empty(41)];
  const stable = (extensions: typeof EXTENSIONS): string =>
    ja4(ja4ResumptionStableParts(parse({ cipherSuites: SUITES, extensions }), 'tcp'));
  t.is(stable(EXTENSIONS), stable(resumed));
  t.is(stable(without), ja4Of({ cipherSuites: SUITES, extensions: without }));
  t.not(ja4Of(PUBLISHED), ja4Of({ cipherSuites: SUITES, extensions: resumed }));
});

test("Suricata's dialect gives the values of Suricata's own tests", (t) => {
  // rust/src/ja4.rs of Suricata: the empty hello, and one with a name and two suites.
  t.is(suricataJa4(parse({ cipherSuites: [], extensions: null }), 'tcp').ja4, 't12i000000_e3b0c44298fc_d2e2adf7177b');
  const hello = parse({
    cipherSuites: [0x1111, 0x0a20, 0xbada],
    extensions: [extension.serverName('a'), extension.alpn(['h3-16'])],
  });
  t.is(suricataJa4(hello, 'quic').ja4, 'q12d0302h6_f500716053f9_d2e2adf7177b');
});

test("FoxIO's older ALPN form gives the value published for its non-ASCII capture", (t) => {
  const extensions = EXTENSIONS.map((entry) => (entry[0] === 16 ? extension.alpn(['\xba\xad']) : entry));
  t.is(foxioAlpnJa4(parse({ ...PUBLISHED, extensions }), 'tcp').ja4, 't13d151699_8daaf6152771_e5627efa2ab1');
});

test('GREASE in the signature algorithms shows in the dialect that hashes it', (t) => {
  const extensions = EXTENSIONS.map((entry) =>
    entry[0] === 13 ? extension.signatureAlgorithms([0x0a0a, ...ALGORITHMS]) : entry,
  );
  const dialect = greaseSignatureAlgorithmsJa4(parse({ ...PUBLISHED, extensions }), 'tcp');
  t.true(dialect.ja4r.endsWith('_0a0a,0403,0804,0401,0503,0805,0501,0806,0601'));
  t.not(dialect.ja4, ja4Of(PUBLISHED));
});

test('dialects that agree with the definition are left out', (t) => {
  t.deepEqual(ja4Dialects(parse(PUBLISHED), 'tcp'), []);
  t.deepEqual(
    ja4Dialects(parse({ extensions: null }), 'tcp').map(({ dialect }) => dialect),
    ['suricata'],
  );
});
