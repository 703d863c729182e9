import test from 'ava';
import { type FeedOptions, parseFeed } from '../../src/intel/load.js';

// What single entries mean, by the documentation of those who define them; the hashes are public ones.

const TOFSEE = 'e7d705a3286e19ea42f587b344ee6865';

test("Suricata: a server name counts where its rule asks for all of it, or for a domain's end", (t) => {
  // https://docs.suricata.io/en/latest/rules/payload-keywords.html#bsize, transforms.html#dotprefix
  const read = (options: string): string => {
    const { indicators, problems } = feedOf(`alert tls any any -> any any (msg:"x"; tls.sni; ${options} sid:1;)`);
    return [...indicators.map(({ type, value }) => `${type} ${value}`), ...problems.map(({ reason }) => reason)].join();
  };
  t.is(read('content:"evil.net"; startswith; endswith;'), 'serverName evil.net');
  t.is(read('bsize:8; content:"evil.net";'), 'serverName evil.net');
  t.is(read('bsize:30; content:"evil.net";'), 'its server name is only a part of one');
  t.is(read('bsize:>8; content:"evil.net";'), 'its server name is only a part of one');
  t.is(read('dotprefix; content:".evil.net"; endswith;'), 'domain evil.net');
  t.is(read('dotprefix; content:".evil.net"; startswith; endswith;'), 'serverName evil.net');
  // Both mean notevil.net, too, or do not mean evil.net itself.
  t.is(read('dotprefix; content:"evil.net"; endswith;'), 'its server name is only the end of one');
  t.is(read('content:".evil.net"; endswith;'), 'its server name is only the end of one');
});

test('Suricata: a pass rule names what is good, and tls.fingerprint carries a certificate itself', (t) => {
  const sha1 = '4d:a1:42:24:45:2c:1f:e6:1f:46:b1:11:2c:43:ec:fd:9f:32:2c:82';
  const feed = feedOf(
    `pass tls any any -> any any (msg:"good"; ja3.hash; content:"${TOFSEE}"; sid:1;)`,
    `alert tls any any -> any any (msg:"SSLBL"; tls.fingerprint:"${sha1}"; sid:2;)`,
    `alert tls any any -> any any (msg:"x"; ja3_hash; content:"${TOFSEE}"; tls_cert_subject; content:"CN=x"; sid:3;)`,
  );
  t.deepEqual(named(feed), [
    [2, 'certSha1', sha1.replaceAll(':', '')],
    [3, 'ja3', TOFSEE],
  ]);
  t.deepEqual([feed.problems, feed.skipped.map(({ reason }) => reason)], [[], ['a rule that lets pass: no detection']]);
});

test('Suricata: the lines of a dataset are what the user says, and JA3 strings', (t) => {
  // base64(1) of the JA3S, and of the first vector of salesforce/ja3's README.
  const ja3s = 'ZjRmZWJjNTVlYTEyYjMxYWUxN2NmYjdlNjE0YWZkYTg=';
  const ja3String = 'NzY5LDQ3LTUzLTUtMTAtNDkxNjEtNDkxNjItNDkxNzEtNDkxNzItNTAtNTYtMTktNCwwLTEwLTExLDIzLTI0LTI1LDA=';
  t.deepEqual(named(feedWith({ as: 'ja3s' }, ja3s)), [[1, 'ja3s', 'f4febc55ea12b31ae17cfb7e614afda8']]);
  t.deepEqual(named(feedOf(ja3String)), [
    [1, 'ja3String', '769,47-53-5-10-49161-49162-49171-49172-50-56-19-4,0-10-11,23-24-25,0'],
  ]);
});

test('Zeek intel: columns in any order, bytes of UTF-8, and an empty set', (t) => {
  // https://docs.zeek.org/en/master/log-formats.html: what is not ASCII is written byte by byte, (empty) is the empty field.
  const feed = feedOf(
    '#fields\tindicator_type\tindicator\tmeta.desc\tmeta.source',
    `Intel::JA3\t${TOFSEE}\tb\\xc3\\xb6se\tabuse`,
    'Intel::DOMAIN\tevil.net\t(empty)\tabuse',
    'Intel::FILE_HASH\t8991a387e4\t-\tabuse',
  );
  t.is(feed.format, 'zeek-intel');
  t.deepEqual(
    feed.indicators.map(({ type, description }) => [type, description]),
    [
      ['ja3', 'böse, abuse'],
      ['serverName', 'abuse'],
    ],
  );
  t.deepEqual(
    feed.problems.map(({ line }) => line),
    [4],
  );
});

test('a plain list: a comment may be indented', (t) => {
  const feed = feedOf(TOFSEE, '  # not an entry');
  t.deepEqual([named(feed), feed.problems], [[[1, 'ja3', TOFSEE]], []]);
});

test('STIX: of a connection between two addresses the one that was talked to is compared', (t) => {
  const both = "[network-traffic:src_ref.value = '192.0.2.1' AND network-traffic:dst_ref.value = '198.51.100.7']";
  const feed = feedOf(JSON.stringify({ type: 'bundle', objects: [{ type: 'indicator', pattern: both }] }));
  t.deepEqual(named(feed), [[1, 'ip', '198.51.100.7']]);
  t.regex(feed.indicators[0]?.caveat ?? '', /network-traffic:src_ref\.value, which is not compared/);
});

test('MISP: an object says when its attributes were seen, and an attribute alone what its event is', (t) => {
  // https://www.misp-standard.org/rfc/misp-standard-core.html, sections 2.4 and 2.5; the template domain-ip of misp-objects.
  const hostname = { type: 'hostname', value: 'evil.net', to_ids: true, object_relation: 'hostname' };
  const seen = { type: 'datetime', value: '2011-01-01T00:00:00Z', object_relation: 'last-seen', to_ids: false };
  const byRelation = { Event: { info: 'x', Object: [{ Attribute: [hostname, seen] }] } };
  const byObject = { Event: { info: 'x', Object: [{ Attribute: [hostname], last_seen: '2012-01-01T00:00:00Z' }] } };
  const alone = { response: { Attribute: [{ ...hostname, Event: { id: '7', info: 'A campaign' } }] } };
  const [first, second, third] = [byRelation, byObject, alone].map(
    (feed) => feedOf(JSON.stringify(feed)).indicators[0],
  );
  t.is(first?.lastSeen, '2011-01-01T00:00:00Z');
  t.is(second?.lastSeen, '2012-01-01T00:00:00Z');
  t.is(third?.description, 'A campaign');
});

const feedWith = (options: FeedOptions, ...lines: readonly string[]): ReturnType<typeof parseFeed> =>
  parseFeed('feed', Buffer.from(`${lines.join('\n')}\n`), options);
const feedOf = (...lines: readonly string[]): ReturnType<typeof parseFeed> => feedWith({}, ...lines);
const named = ({ indicators }: ReturnType<typeof parseFeed>): unknown[] =>
  indicators.map(({ line, type, value }) => [line, type, value]);
