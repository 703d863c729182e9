import test from 'ava';
import { judge } from '../../src/intel/confidence.js';
import type { ComparableHandshake } from '../../src/intel/hit.js';
import { IndicatorIndex } from '../../src/intel/indicator-index.js';
import { ja4Forms } from '../../src/intel/ja4-forms.js';
import { parseFeed } from '../../src/intel/load.js';
import { Matcher } from '../../src/intel/matches.js';
import { PendingPairs } from '../../src/intel/pairs.js';
import { describeHello } from '../../src/tls/describe.js';
import { HELLOS } from '../../bench/match-hellos.js';
import { clientHello, extension } from '../tls/wire.js';

// Fingerprints are published ones: Tor and Trickbot from salesforce/ja3's README, JA3 of curl by tshark 4.0.17.

test('a JA3 alone is low, and says that Tor sends it too and how old the entry is', (t) => {
  const sslbl = `# ja3_md5,Firstseen,Lastseen,Listingreason\n${TOR},2017-07-14 18:08:15,2019-07-27 20:42:54,Tofsee\n`;
  const [hit, ...more] = matcherOf(sslbl).handshake(client({ ja3: TOR }));
  t.is(more.length, 0);
  t.is(hit?.confidence, 'low');
  t.like(hit?.indicator, { type: 'ja3', value: TOR, line: 2, description: 'Tofsee' });
  t.deepEqual(hit?.why, [
    'a JA3 alone names a TLS library and its settings, not a program',
    'common: the fingerprint is that of the Tor client too (salesforce/ja3, README)',
    'last seen on 2019-07-27, 7 years before the handshake',
  ]);
  t.like(hit, { event: 7, kind: 'client', process: { pid: 4242, comm: 'curl' }, flow: { dstPort: 443 } });
});

test('nothing hits by a value of another type or direction', (t) => {
  const matcher = matcherOf(`${TOR}\n`);
  t.deepEqual(matcher.handshake(server({ ja3s: TOR })), []);
  t.deepEqual(matcher.handshake(client({ ja3: TROJAN })), []);
  t.deepEqual(matcherOf(`${TOR}\n`, 'ja3s').handshake(client({ ja3: TOR })), []);
  t.is(matcherOf(`${TOR}\n`, 'ja3s').handshake(server({ ja3s: TOR })).length, 1);
});

test('a pair hits when both halves were on one connection, and is high', (t) => {
  const matcher = matcherOf(PAIR);
  t.deepEqual(matcher.handshake(client({ ja3: TROJAN })), []);
  const [hit] = matcher.handshake(server({ ja3s: TROJAN_SERVER }));
  t.like(hit, { confidence: 'high', kind: 'server', indicator: { type: 'pair' } });
  t.is(hit?.why[0], '2 conditions hold on one connection: ja3 and ja3s');
  // Once a connection.
  t.deepEqual(matcher.handshake(server({ ja3s: TROJAN_SERVER })), []);
});

test('halves of a pair on different connections are no pair', (t) => {
  const matcher = matcherOf(PAIR);
  matcher.handshake(client({ ja3: TROJAN }));
  t.deepEqual(matcher.handshake(server({ ja3s: TROJAN_SERVER }, { cookie: '18' })), []);
  t.deepEqual(matcher.handshake(server({ ja3s: TROJAN_SERVER }, { dstPort: 40_001 })), []);
  // The same addresses again: a new ClientHello starts a new connection.
  matcher.handshake(client({ ja3: TOR }));
  t.deepEqual(matcher.handshake(server({ ja3s: TROJAN_SERVER })), []);
});

// A browser may have TCP and QUIC to one server at once, from ports of the same number; an import has no cookies.
test('a TCP and a QUIC connection of the same addresses and ports are two', (t) => {
  const imported = { cookie: null, netns: null };
  const matcher = matcherOf(PAIR);
  matcher.handshake(client({ ja3: TROJAN }, imported));
  const quic = { transport: 'quic' as const };
  t.deepEqual(matcher.handshake({ ...server({ ja3s: TROJAN_SERVER }, imported), ...quic }), []);
  // Nor does a hello over QUIC start the connection over TCP anew.
  matcher.handshake({ ...client({ ja3: TOR }, imported), ...quic });
  t.is(matcher.handshake(server({ ja3s: TROJAN_SERVER }, imported)).length, 1);
});

test('half-met pairs are bounded, and what is forgotten is counted', (t) => {
  const pending = new PendingPairs(2);
  const matcher = new Matcher(indexOf(PAIR), { pending });
  for (const cookie of ['1', '2', '3']) matcher.handshake(client({ ja3: TROJAN }, { cookie }));
  t.is(matcher.forgottenPairs, 1);
  t.deepEqual(matcher.handshake(server({ ja3s: TROJAN_SERVER }, { cookie: '1' })), []);
  t.is(matcher.handshake(server({ ja3s: TROJAN_SERVER }, { cookie: '3' })).length, 1);
});

test('a pair with a half that is not supported is not compared, and that is told', (t) => {
  const header = 'Application,Library,Device,OS,ja4,ja4s,ja4h,ja4x,ja4t,ja4tscan,Notes\n';
  const index = indexOf(
    `${header}Sliver Agent,,,,t13d190900_9dc949149365_97f8aa674fd9,t130200_1301_a56c5b993250,,,,,\n`,
  );
  t.is(index.size, 0);
  t.deepEqual(index.notCompared, [
    { type: 'pair', reason: 'one of its conditions is a ja4s: not supported: licence (FoxIO License 1.1)', count: 1 },
  ]);
  t.deepEqual(new Matcher(index).handshake(client({ ja4: 't13d190900_9dc949149365_97f8aa674fd9' })), []);
});

test('every form of a JA4 hits, and is named', (t) => {
  const row = realHello(0);
  const { ja4 = '', ja4r = '', ja3 } = row.fingerprints ?? {};
  t.is(ja3, '0149f47eabf9a20d0893e2a44e5a6323');
  const forms = ja4Forms()(row);
  t.deepEqual(
    forms.map(({ name }) => name),
    ['ja4_o', 'ja4_ro'],
  );
  for (const { value, name } of [{ value: ja4, name: null }, { value: ja4r, name: null }, ...forms]) {
    const [hit] = matcherOf(`${value}\n`).handshake(row);
    t.is(hit?.matched.value, value);
    t.is(hit?.matched.form, name);
  }
  t.deepEqual(matcherOf('t13d3112h2_000000000000_b26ce05bbdd6\n').handshake(row), []);
});

test("a hello of which a tool writes another JA4 hits by that value, and the hit names the tool's dialect", (t) => {
  // As in test/tls/ja4.test.ts: the first is published in Suricata's own tests, the second is FoxIO's older form, `9` for a
  // byte beyond ASCII.
  const cipherSuites = [0x1111, 0x0a20, 0xbada];
  const suricata = rowOf(
    clientHello({ cipherSuites, extensions: [extension.serverName('a'), extension.alpn(['h3-16'])] }),
    'quic',
  );
  const foxio = rowOf(
    clientHello({ extensions: [extension.alpn(['\xba\xad']), extension.supportedVersions([0x0304])] }),
  );
  const foxioForm = ja4Forms()(foxio).find(({ name, type }) => name === 'foxio-alpn' && type === 'ja4');
  t.regex(foxioForm?.value ?? '', /^t13i020299_/);
  for (const [row, value, form] of [
    [suricata, 'q12d0302h6_f500716053f9_d2e2adf7177b', 'suricata'],
    [foxio, foxioForm?.value ?? '', 'foxio-alpn'],
  ] as const) {
    const [hit] = matcherOf(`${value}\n`).handshake(row);
    t.deepEqual(hit?.matched, { field: 'ja4', value, form });
    t.true(hit?.why.includes(`equal in the form ${form}`));
  }
});

test('a server name hits exactly, a domain also from below', (t) => {
  const misp = (type: string) =>
    JSON.stringify({ Event: { Attribute: [{ type, value: 'bad.example', to_ids: true }] } });
  const asked = (name: string) => ({ ...client({}), tls: { serverName: name } });
  t.is(matcherOf(misp('hostname')).handshake(asked('BAD.example.')).length, 1);
  t.is(matcherOf(misp('hostname')).handshake(asked('www.bad.example')).length, 0);
  t.is(matcherOf(misp('domain')).handshake(asked('www.bad.example')).length, 1);
  t.is(matcherOf(misp('domain')).handshake(asked('notbad.example')).length, 0);
  t.is(matcherOf(misp('domain')).handshake(asked('bad.example'))[0]?.confidence, 'medium');
});

test('an address hits on either end of the flow', (t) => {
  t.is(matcherOf('198.51.100.7\n').handshake(client({}))[0]?.matched.field, 'flow.dst');
  t.is(matcherOf('2001:DB8:0::1\n').handshake(client({}, { dst: '2001:db8::1' })).length, 1);
  t.is(matcherOf('198.51.100.8\n').handshake(client({})).length, 0);
});

test("an executable's hash is high, and medium where only the file at its path could be read", (t) => {
  // EICAR, as eicar.org gives it.
  const eicar = '275a021bbfb6489e54d471899f7db9d1663fc695ec2fe2a2c4538aabf651fd0f';
  const matcher = matcherOf(`${eicar}  eicar.com\n`);
  const row = { pid: 1, startTimeNs: '5', comm: 'x', exe: '/tmp/x', exeSha256: eicar };
  t.is(matcher.process({ ...row, exeHashedFrom: 'process' })[0]?.confidence, 'high');
  t.is(matcher.process({ ...row, exeHashedFrom: 'path' })[0]?.confidence, 'medium');
  t.deepEqual(matcher.process({ ...row, exeSha256: null, exeHashedFrom: null }), []);
});

test('age, expiry, shared use and missing verification lower the confidence', (t) => {
  const stix = (fields: object) =>
    JSON.stringify([
      {
        type: 'indicator',
        spec_version: '2.1',
        pattern: "[domain-name:value = 'a.example']",
        pattern_type: 'stix',
        ...fields,
      },
    ]);
  const level = (text: string) => {
    const [indicator] = parseFeed('feed', Buffer.from(text)).indicators;
    return indicator && judge(indicator, { time: TIME, ja3: null, ja4: null, remarks: [] }).confidence;
  };
  t.is(level(stix({ valid_from: '2026-11-01T00:00:00Z' })), 'medium');
  t.is(level(stix({ valid_from: '2024-11-01T00:00:00Z' })), 'low');
  t.is(level(stix({ valid_from: '2026-11-01T00:00:00Z', valid_until: '2026-11-02T00:00:00Z' })), 'low');
  const ja4db = (fields: object) =>
    JSON.stringify([{ ja4_fingerprint: 't13d0101h2_000000000000_111111111111', ...fields }]);
  t.is(level(ja4db({ verified: true, observation_count: 3 })), 'medium');
  t.is(level(ja4db({ verified: true, observation_count: 50_000 })), 'low');
  t.is(level(ja4db({ verified: false })), 'low');
});

test('all feeds that name a value hit, alone or as a half of a pair, whichever came first', (t) => {
  const [pair, list, sslbl] = [
    PAIR,
    `${TROJAN}\n`,
    `# ja3_md5,Firstseen,Lastseen,Listingreason\n${TROJAN},2019-01-01 00:00:00,,Trickbot\n`,
  ];
  for (const texts of [
    [pair, list, sslbl],
    [list, pair, sslbl],
    [list, sslbl, pair],
  ]) {
    const feeds = texts.map((text, at) => parseFeed(`feed ${at}`, Buffer.from(text)));
    const index = new IndicatorIndex(feeds);
    t.is(index.size, 3);
    const matcher = new Matcher(index);
    const alone = matcher.handshake(client({ ja3: TROJAN })).map(({ feed }) => feed);
    t.deepEqual(
      alone.sort(),
      ['feed 0', 'feed 1', 'feed 2'].filter((_, at) => texts[at] !== pair),
    );
    t.is(matcher.handshake(server({ ja3s: TROJAN_SERVER })).length, 1);
  }
});

test('a value that a feed names a thousand times costs no more than 64 hits', (t) => {
  const rows = Array.from({ length: 1000 }, (_, at) => `${TOR} # name ${at}\n`).join('');
  const index = indexOf(rows);
  t.is(new Matcher(index).handshake(client({ ja3: TOR })).length, 64);
  t.is(index.size + index.repeated, 1000);
});

function indexOf(text: string, as?: 'ja3s'): IndicatorIndex {
  return new IndicatorIndex([parseFeed('feed', Buffer.from(text), { as })]);
}

function matcherOf(text: string, as?: 'ja3s'): Matcher {
  return new Matcher(indexOf(text, as), { forms: ja4Forms() });
}

function client(fingerprints: object, flow: object = {}): ComparableHandshake {
  return {
    seq: 7,
    time: TIME,
    kind: 'client',
    transport: 'tcp',
    flow: { src: '192.0.2.1', srcPort: 40_000, dst: '198.51.100.7', dstPort: 443, netns: null, cookie: '17', ...flow },
    process: { pid: 4242, startTimeNs: '1', comm: 'curl', exe: '/usr/bin/curl' },
    hello: { raw: '', afterRetry: false },
    tls: { serverName: null },
    fingerprints,
  };
}

/** The answer on the same connection, written from the server's side. */
function server(fingerprints: object, flow: object = {}): ComparableHandshake {
  const sides = { src: '198.51.100.7', srcPort: 443, dst: '192.0.2.1', dstPort: 40_000, ...flow };
  return { ...client(fingerprints, sides), kind: 'server' };
}

function realHello(at: number): ComparableHandshake {
  return rowOf(Buffer.from(HELLOS[at] ?? '', 'base64'));
}

function rowOf(message: Uint8Array, transport: 'tcp' | 'quic' = 'tcp'): ComparableHandshake {
  const { tls, fingerprints } = describeHello(message, { kind: 'client', transport, sslv2: false });
  const row = client({});
  return {
    ...row,
    transport,
    tls,
    fingerprints,
    hello: { ...row.hello, raw: Buffer.from(message).toString('base64') },
  };
}

const TIME = '2026-11-22T09:20:08.000000000Z';
const TOR = 'e7d705a3286e19ea42f587b344ee6865';
const TROJAN = '6734f37431670b3ab4292b8f60f29984';
const TROJAN_SERVER = '623de93db17d313345d7ea481e7443cf';
const PAIR = JSON.stringify({
  type: 'bundle',
  objects: [
    {
      type: 'indicator',
      spec_version: '2.1',
      pattern_type: 'stix',
      pattern: `[x-ecs-tls:client_ja3 = '${TROJAN}' AND x-ecs-tls:server_ja3s = '${TROJAN_SERVER}']`,
    },
  ],
});
