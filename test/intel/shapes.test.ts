import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import test from 'ava';
import { parseFeed } from '../../src/intel/load.js';

// The expected values are read off the fixtures by eye; fixtures/README.md says where the fixtures' values are from.

test('an SSLBL JA3 list is read: commas in the reason, a broken line told by its number', (t) => {
  const feed = read('sslbl-ja3.csv');
  t.is(feed.format, 'sslbl-ja3');
  t.deepEqual(named(feed), [
    [7, 'ja3', 'b386946a5a44d1ddcc843bc75336dfce', 'Dridex'],
    [8, 'ja3', 'e7d705a3286e19ea42f587b344ee6865', 'Tofsee'],
    [9, 'ja3', '6734f37431670b3ab4292b8f60f29984', 'TrickBot, variants'],
    [11, 'ja3', '4d7a28d6f2263ed61de88ca66eb011e3', 'Emotet'],
  ]);
  const [, tofsee] = feed.indicators;
  t.is(tofsee?.firstSeen, '2017-07-14T18:08:15Z');
  t.is(tofsee?.lastSeen, '2019-07-27T20:42:54Z');
  t.is(tofsee?.direction, 'client');
  t.deepEqual(linesOf(feed), [10]);
});

test('an SSLBL certificate list is split at its first two commas', (t) => {
  const feed = read('sslbl-sha1.csv');
  t.is(feed.format, 'sslbl-sha1');
  t.deepEqual(named(feed), [
    [7, 'certSha1', '4da14224452c1fe61f46b1112c43ecfd9f322c82', 'Rhadamanthys C&C'],
    [8, 'certSha1', 'b331526a0949f88ce218555edf1060c4a02de5a2', 'Rhadamanthys C&C'],
    [9, 'certSha1', 'b785d1a9e5784703b98a96698ad05dff5e07229a', 'DCRat C&C, second stage'],
  ]);
  t.is(feed.indicators[0]?.listed, '2024-09-02T06:17:52Z');
  t.deepEqual(linesOf(feed), [10]);
});

test('a ja4db export is read: null and empty both mean none, a raw form stands for itself', (t) => {
  const feed = read('ja4db.json');
  t.is(feed.format, 'ja4db');
  t.deepEqual(
    feed.indicators.map(({ line, type, value, verified, observations }) => [
      line,
      type,
      value.slice(0, 36),
      verified,
      observations,
    ]),
    [
      [2, 'ja4', 't13d1516h2_8daaf6152771_02713d6af862', true, 5120],
      [2, 'ja4h', 'ge11nn100000_c910c42e1704_e3b0c44298', true, 5120],
      [21, 'ja4', 't13i3110as_e8f1e7e78f70_1f22a2ca17c4', false, 1],
      [40, 'ja4t', '1024_2_1460_00', true, 1],
      [59, 'ja4r', 't13d1516h2_002f,0035,009c,009d,1301,', false, null],
    ],
  );
  t.deepEqual(linesOf(feed), [78]);
  t.deepEqual(
    feed.skipped.map(({ firstLine }) => firstLine),
    [82],
  );
});

test('ja4plus-mapping: two fields in a row are a pair, a repetition is left out, blanks are trimmed', (t) => {
  const feed = read('ja4plus-mapping.csv');
  t.is(feed.format, 'ja4plus-mapping');
  t.deepEqual(named(feed), [
    [2, 'ja4', 't13i181000_85036bcba153_d41ae481755e', 'Python'],
    [3, 'ja4', 't13d1516h2_8daaf6152771_02713d6af862', 'Chromium Browser'],
    [5, 'ja4', 't13d190900_9dc949149365_97f8aa674fd9', 'GoLang'],
    [6, 'pair', 't13d190900_9dc949149365_97f8aa674fd9 + t130200_1301_a56c5b993250', 'Sliver Agent'],
    [7, 'pair', 't13d201100_2b729b4bf6f3_9e7b989ebec8 + t120300_c030_5e2616a54c73', 'IcedID'],
    [8, 'ja4', 't13d880900_fcb5b95cb75a_b0d3b4ac2a14', 'SoftEther VPN Client'],
    [9, 'ja4x', '2bab15409345_af684594efb4_000000000000', 'Qakbot C2'],
    [10, 'ja4t', '1024_2_1460_00', 'Nmap'],
  ]);
  t.deepEqual(linesOf(feed), [11]);
  t.deepEqual(feed.skipped, [{ reason: 'a repetition of an earlier row', count: 1, firstLine: 4 }]);
});

test('ja4plus-mapping: rows that say the same repeat each other, whatever their blanks and quotes, and no others do', (t) => {
  const ja4 = 't13d1516h2_8daaf6152771_02713d6af862';
  const header = 'Application,Library,Device,OS,ja4,ja4s,ja4h,ja4x,ja4t,ja4tscan,Notes';
  const rows = [
    `one,two,,,${ja4},,,,,,`,
    ` one,two ,,,${ja4} ,,,,,,`,
    `"one",two,,,"${ja4}",,,,,," "`,
    `"one,two",,,,${ja4},,,,,,`,
    `"one,two" , ,,,${ja4},,,,,,`,
    `"one, two",,,,${ja4},,,,,,`,
    `"on""e",two,,,${ja4},,,,,,`,
    `one,two,,,${ja4},,,,,,x,`,
    `one,two,,,${ja4},,,,,,"x,"`,
  ];
  const feed = parseFeed('mapping', Buffer.from([header, ...rows].join('\n')));
  t.deepEqual(
    feed.indicators.map(({ line, description }) => [line, description]),
    [
      [2, 'one, two'],
      [5, 'one,two'],
      [7, 'one, two'],
      [8, 'on"e, two'],
      [9, 'one, two; x'],
      [10, 'one, two; x,'],
    ],
  );
  t.deepEqual(feed.skipped, [{ reason: 'a repetition of an earlier row', count: 2, firstLine: 3 }]);
  // RFC 4180: nothing stands between a quote and the comma.
  t.deepEqual(linesOf(feed), [6]);
});

test("salesforce's list is read: CRLF, a licence of four lines in one field, several names in one field", (t) => {
  const feed = read('osx-nix-ja3.csv');
  t.is(feed.format, 'salesforce-list');
  t.deepEqual(named(feed).slice(0, 2), [
    [5, 'ja3', '61d50e7771aee7f2f4b89a7200b4d45e', 'AcroCEF'],
    [6, 'ja3', 'eb149984fc9c44d85ed7f12c90d818be', 'Amazon Music, Dreamweaver, Spotify'],
  ]);
  t.is(feed.indicators[1]?.caveat, 'the list itself names 3 programs with this fingerprint');
  // Line 9 opens a quote and never closes it; line 10 is read all the same.
  t.deepEqual(linesOf(feed), [9]);
  t.is(named(feed).at(-1)?.[2], 'c36fb08942cf19508c08d96af22d4ffc');
});

test('a MISP event: to_ids and deleted count, and the object relation tells JA3 from JA3S', (t) => {
  const feed = read('misp-event.json');
  t.is(feed.format, 'misp');
  t.deepEqual(
    feed.indicators.map(({ line, type, value }) => [line, type, value]),
    [
      [9, 'ja3', '6734f37431670b3ab4292b8f60f29984'],
      [41, 'sha256', '275a021bbfb6489e54d471899f7db9d1663fc695ec2fe2a2c4538aabf651fd0f'],
      [51, 'certSha1', '4da14224452c1fe61f46b1112c43ecfd9f322c82'],
      [60, 'domain', 'bad.example'],
      [95, 'ja3', 'e7d705a3286e19ea42f587b344ee6865'],
      [120, 'ja3s', 'a95ca7eab4d47d051a5cd4fb7b6005dc'],
      [146, 'ja4', 't13d190900_9dc949149365_97f8aa674fd9'],
      [171, 'ja4s', 't130200_1301_a56c5b993250'],
    ],
  );
  const [first] = feed.indicators;
  t.is(first?.lastSeen?.slice(0, 10), '2019-05-20');
  t.is(first?.listed, '2019-05-22T00:00:00Z');
  t.is(first?.description, 'Trickbot client; Trickbot and Tor, with JA3 and JA3S');
  t.is(feed.indicators.find(({ type }) => type === 'ja3s')?.direction, 'server');
  t.deepEqual(linesOf(feed), [78]);
  t.deepEqual(Object.fromEntries(feed.skipped.map(({ reason, firstLine }) => [firstLine, reason])), {
    21: 'to_ids is not set: not meant for detection',
    31: 'a deleted attribute',
    69: 'email-src is nothing that a snapshot holds',
    191: 'a deleted object',
  });
});

test('a STIX bundle: every accepted path is read, every other pattern is reported', (t) => {
  const feed = read('stix-bundle.json');
  t.is(feed.format, 'stix');
  t.deepEqual(
    feed.indicators.map(({ type, value }) => [type, value]),
    [
      ['ja3', '6734f37431670b3ab4292b8f60f29984'],
      ['ja3s', '623de93db17d313345d7ea481e7443cf'],
      ['pair', '4d7a28d6f2263ed61de88ca66eb011e3 + 80b3a14bccc8598a1f3bbe83e71f735f'],
      ['ja3', 'e7d705a3286e19ea42f587b344ee6865'],
      ['ja3s', 'a95ca7eab4d47d051a5cd4fb7b6005dc'],
      ['ja4', 't13d190900_9dc949149365_97f8aa674fd9'],
      ['ja3', '72a589da586844d7f0818ce684948eea'],
      ['sha256', '275a021bbfb6489e54d471899f7db9d1663fc695ec2fe2a2c4538aabf651fd0f'],
      ['serverName', 'c2.example'],
      ['ja3', 'b386946a5a44d1ddcc843bc75336dfce'],
    ],
  );
  t.deepEqual(
    feed.problems.map(({ reason }) => reason),
    [
      'the pattern is not understood: windows-registry-key:key is nothing that a snapshot holds',
      'the pattern is not understood: MATCHES is not compared, only = and IN',
      'the pattern is not understood: FOLLOWEDBY between observations is not compared',
      'a suricata pattern is not understood, only stix',
    ],
  );
  t.deepEqual(
    feed.skipped.map(({ reason }) => reason),
    ['a revoked indicator', 'a network-traffic object is no indicator'],
  );
});

test('a Zeek intel file: columns by name, - is none, \\x09 is a tab', (t) => {
  const feed = read('case.intel');
  t.is(feed.format, 'zeek-intel');
  t.deepEqual(
    named(feed).map((row) => row.slice(0, 3)),
    [
      [2, 'ja3', 'e7d705a3286e19ea42f587b344ee6865'],
      [3, 'certSha1', '4da14224452c1fe61f46b1112c43ecfd9f322c82'],
      [4, 'serverName', 'c2.example'],
      [5, 'ip', '203.0.113.7'],
      [6, 'sha256', '275a021bbfb6489e54d471899f7db9d1663fc695ec2fe2a2c4538aabf651fd0f'],
    ],
  );
  t.is(feed.indicators[4]?.description, 'EICAR\ttest file, eicar.org');
  t.deepEqual(linesOf(feed), [8, 9]);
});

test('Suricata rules: old and new keywords, hex in content, pairs, continued lines, names exact and below', (t) => {
  const feed = read('tls.rules');
  t.is(feed.format, 'suricata-rules');
  t.deepEqual(named(feed), [
    [2, 'ja3', 'e7eca2baf4458d095b7f45da28c16c34', 'match JA3 hash; sid 100001'],
    [3, 'ja3', 'e7d705a3286e19ea42f587b344ee6865', 'Tor or Tofsee; old name; sid 906200001'],
    [4, 'ja3s', 'b26c652e0a402a24b5ca2a660e84f9d5', 'match JA3S hash; sid 100003'],
    [5, 'ja4', 't13d190900_9dc949149365_97f8aa674fd9', 'match JA4 hash; sid 100005'],
    [6, 'pair', '4d7a28d6f2263ed61de88ca66eb011e3 + 80b3a14bccc8598a1f3bbe83e71f735f', 'both sides; sid 100006'],
    [7, 'ja3', '6734f37431670b3ab4292b8f60f29984', 'continued over two lines; sid 100007'],
    [10, 'domain', 'bad.example', 'a name and all below; sid 100008'],
    [11, 'serverName', 'c2.example', 'exactly this name, hex in it; sid 100009'],
    [12, 'ja3String', '771,4865-4866,0-23,29-23-24,0', 'a string; sid 100010'],
    [13, 'certSha1', '4da14224452c1fe61f46b1112c43ecfd9f322c82', 'certificate; sid 100011'],
  ]);
  t.is(feed.indicators[1]?.listed, '2020-08-20T00:00:00Z');
  t.is(feed.indicators[5]?.caveat, 'the rule also asks for flowbits, which is not compared');
  t.deepEqual(linesOf(feed), [16, 17, 18, 19]);
});

// https://docs.suricata.io/en/latest/rules/intro.html#source-and-destination: any, a variable, or addresses and ports themselves.
test("addresses and ports in the header of a Suricata rule are told as not compared; variables are the sensor's own", (t) => {
  const caveatOf = (header: string) => {
    const rule = `alert tls ${header} (msg:"x"; ja3.hash; content:"e7eca2baf4458d095b7f45da28c16c34"; sid:1;)\n`;
    return parseFeed('x.rules', Buffer.from(rule)).indicators.map(({ caveat }) => caveat);
  };
  for (const header of [
    'any any -> any any',
    '$HOME_NET any -> $EXTERNAL_NET any',
    '!$DNS_1 any <> [$NET_2] $PORTS_1',
  ]) {
    t.deepEqual(caveatOf(header), [null], header);
  }
  for (const header of [
    'any any -> any 8443',
    '$HOME_NET any -> 203.0.113.7 any',
    'any [1024:,!80] -> any any',
    'any any -> [2001:db8::1, $X] any',
  ]) {
    t.deepEqual(
      caveatOf(header),
      ['the rule also asks for the addresses or ports in its header, which is not compared'],
      header,
    );
  }
});

test('Suricata datasets: hexadecimal with a score, and base64', (t) => {
  t.deepEqual(named(read('ja3.lst')), [
    [1, 'ja3', 'e7d705a3286e19ea42f587b344ee6865', ''],
    [2, 'ja3', '6734f37431670b3ab4292b8f60f29984', ''],
  ]);
  const strings = read('ja4-strings.lst');
  t.is(strings.format, 'suricata-dataset');
  t.deepEqual(
    named(strings).map(([, type]) => type),
    ['ja4', 'ja3', 'serverName'],
  );
});

test('a plain list: what 32 hex digits are is for the user to say', (t) => {
  const feed = read('plain.txt');
  t.is(feed.format, 'plain-list');
  t.deepEqual(named(feed), [
    [2, 'ja3', 'e7d705a3286e19ea42f587b344ee6865', 'Tor and Tofsee'],
    [3, 'ja3', '6734f37431670b3ab4292b8f60f29984', ''],
    [4, 'ja4', 't13d190900_9dc949149365_97f8aa674fd9', ''],
    [5, 'ja4', 't13d1516h2_8daaf6152771_e5627efa2ab1', ''],
    [7, 'serverName', 'c2.example', ''],
    [8, 'ip', '203.0.113.7', ''],
  ]);
  t.deepEqual(linesOf(feed), [9]);
  t.deepEqual(
    named(read('plain.txt', 'ja3s')).map(([, type]) => type),
    ['ja3s', 'ja3s'],
  );
});

test("sha256sum's output is a plain list of executables", (t) => {
  const feed = read('SHA256SUMS');
  t.deepEqual(
    feed.indicators.filter(({ type }) => type === 'sha256').map(({ description }) => description),
    ['eicar.com', 'empty'],
  );
  t.deepEqual(
    named(read('SHA256SUMS', 'sha256')).map(([, type]) => type),
    ['sha256', 'sha256'],
  );
});

function read(name: string, as?: 'ja3s' | 'sha256') {
  return parseFeed(name, readFileSync(join(FEEDS, name)), { as });
}

function named(feed: ReturnType<typeof read>) {
  return feed.indicators.map(({ line, type, value, description }) => [line, type, value, description] as const);
}

function linesOf(feed: ReturnType<typeof read>): number[] {
  return feed.problems.map(({ line }) => line);
}

const FEEDS = resolve(import.meta.dirname, '../../fixtures/feeds');
