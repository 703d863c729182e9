import test from 'ava';
import type { HandshakeRow } from '../../src/snapshot/timeline-file.js';
import { testUnless } from '../left-out.js';
import { rowsOf } from './captures.js';
import { fixture, readFixture, reasonAgainstTshark, tsharkFields } from './tshark.js';

// What is expected comes from tshark (its own dissectors, its own JA3 and JA3S) reading the same files.

const TLS_FIXTURES = [
  'clients.pcapng',
  'cooked.pcapng',
  'proxies.pcap',
  'hello-retry.pcapng',
  'big-hello.pcap',
] as const;

for (const name of TLS_FIXTURES) {
  testUnless(reasonAgainstTshark(), `${name}: hellos, JA3, JA3S and names are as tshark reads them`, async (t) => {
    const fields = [
      'tls.handshake.ja3',
      'tls.handshake.ja3_full',
      'tls.handshake.ja3s',
      'tls.handshake.extensions_server_name',
      'tls.handshake.random',
      'tcp.srcport',
      'tcp.dstport',
    ];
    const wanted = await tsharkFields(fixture(name), 'tls.handshake.type in {1,2}', fields);
    const rows = rowsOf(readFixture(name));
    t.true(rows.length >= 2);
    t.deepEqual(
      rows.map(whole),
      rows.map(() => true),
    );
    t.deepEqual(
      sorted(
        rows.map((row) => [
          row.fingerprints?.ja3 ?? '',
          row.fingerprints?.ja3String ?? '',
          // tshark gives a HelloRetryRequest a JA3S; the timeline does not, as it is no answer yet.
          row.tls?.helloRetryRequest ? 'retry' : (row.fingerprints?.ja3s ?? ''),
          row.tls?.serverName ?? '',
          randomOf(row),
          String(row.flow.srcPort),
          String(row.flow.dstPort),
        ]),
      ),
      sorted(
        wanted.map((packet) => {
          const [ja3, full, ja3s, serverName, random, src, dst] = fields.map((field) => packet[field]?.[0] ?? '');
          const retry = random === RETRY_RANDOM;
          return [
            ja3 ?? '',
            full ?? '',
            retry ? 'retry' : (ja3s ?? ''),
            serverName ?? '',
            random ?? '',
            src ?? '',
            dst ?? '',
          ];
        }),
      ),
    );
  });
}

testUnless(
  reasonAgainstTshark(),
  'dtls.pcapng: every hello, whole or in fragments of DTLS or IP, is as tshark reads it',
  async (t) => {
    const fields = [
      'dtls.handshake.ja3',
      'dtls.handshake.ja3s',
      'dtls.handshake.extensions_server_name',
      'dtls.handshake.random',
    ];
    const wanted = await tsharkFields(fixture('dtls.pcapng'), 'dtls.handshake.random', fields);
    const rows = rowsOf(readFixture('dtls.pcapng'));
    t.deepEqual(
      sorted(rows.map((row) => [row.tls?.serverName ?? '', randomOf(row), row.transport])),
      sorted(wanted.map((packet) => [packet[fields[2] ?? '']?.[0] ?? '', packet[fields[3] ?? '']?.[0] ?? '', 'dtls'])),
    );
    t.is(rows.filter(({ hello }) => hello.complete).length, 9);
  },
);

testUnless(reasonAgainstTshark(), 'quic.pcapng: what tshark can decrypt it reads as we do', async (t) => {
  const fields = ['tls.handshake.random', 'tls.handshake.extensions_server_name', 'udp.srcport', 'udp.dstport'];
  const wanted = await tsharkFields(fixture('quic.pcapng'), 'tls.handshake.random', fields);
  const rows = rowsOf(readFixture('quic.pcapng'));
  const seen = new Set(
    rows.map((row) => [randomOf(row), row.tls?.serverName ?? '', row.flow.srcPort, row.flow.dstPort].join(' ')),
  );
  t.true(wanted.length >= 3);
  for (const packet of wanted) {
    const [random, serverName, source, destination] = fields.map((field) => packet[field]?.[0] ?? '');
    t.true(seen.has([random, serverName, source, destination].join(' ')), random);
  }
});

test('quic.pcapng: three connections, of version 1, version 2 (draft) and with a Retry, give a hello of each side once', (t) => {
  // What was asked for is in fixtures/pcap/make.sh.
  const rows = rowsOf(readFixture('quic.pcapng'));
  t.deepEqual(
    rows.map(({ kind, flow, tls }) => [kind, kind === 'client' ? flow.dstPort : flow.srcPort, tls?.serverName ?? null]),
    [
      ['client', 4435, 'localhost'],
      ['server', 4435, null],
      ['client', 4435, 'localhost'],
      ['server', 4435, null],
      ['client', 4436, 'localhost'],
      ['server', 4436, null],
    ],
  );
  t.true(rows.every(({ fingerprints, kind }) => kind === 'server' || fingerprints?.ja4?.startsWith('q13d')));
});

test('hello-retry.pcapng: both sides are told again after the retry, and the retry has no JA3S', (t) => {
  const rows = rowsOf(readFixture('hello-retry.pcapng'));
  t.deepEqual(
    rows.map(({ kind, hello, tls, fingerprints }) => [
      kind,
      hello.afterRetry,
      tls?.helloRetryRequest ?? false,
      fingerprints?.ja3s === undefined,
    ]),
    [
      ['client', false, false, true],
      ['server', false, true, true],
      ['client', true, false, true],
      ['server', true, false, false],
    ],
  );
});

test('big-hello.pcap: a hello of several segments has its count, and the time of its first byte', (t) => {
  const [client] = rowsOf(readFixture('big-hello.pcap'));
  t.true((client?.hello.segments ?? 0) > 3);
  t.true(client?.hello.complete);
  t.is(client?.tls?.alpn.length, 701);
});

const RETRY_RANDOM = 'cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c';

function randomOf(row: HandshakeRow): string {
  const start = row.transport === 'dtls' ? 14 : 6;
  return Buffer.from(row.hello.raw, 'base64').toString('hex', start, start + 32);
}

const whole = (row: HandshakeRow): boolean => row.hello.complete && row.error === null;

function sorted(rows: string[][]): string[] {
  return rows.map((row) => row.join(' ')).sort();
}
