import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { execa } from 'execa';
import { HelloPcapng } from '../../../src/pcap/write/hello-packets.js';
import type { Handshake } from '../../../src/snapshot/schema/handshake.js';
import { reasonAgainstCommands, testUnless } from '../../left-out.js';
import { rowsOf } from '../captures.js';
import { readFixture, reasonAgainstTshark, tsharkFields } from '../tshark.js';

// tshark reads back what was written: it checks every checksum, reassembles, decrypts QUIC and derives JA3 by itself.

const CHECKSUMS = ['tcp', 'udp', 'ip'].flatMap((protocol) => ['-o', `${protocol}.check_checksum:TRUE`]);

testUnless(
  reasonAgainstTshark(),
  'tshark reads back addresses, ports, JA3, JA3S, names, times and comments as written',
  async (t) => {
    const rows = timeline('clients.pcapng', 'hello-retry.pcapng', 'big-hello.pcap');
    const file = await written(t, rows);
    const fields = [
      'ip.src',
      'ipv6.src',
      'tcp.srcport',
      'tcp.dstport',
      'tls.handshake.ja3',
      'tls.handshake.ja3s',
      'tls.handshake.extensions_server_name',
      'frame.comment',
      'frame.time_epoch',
    ];
    const read = await tsharkFields(file, 'tls.handshake.type in {1,2}', fields, CHECKSUMS);
    t.deepEqual(
      read.map((packet) => fields.map((field) => packet[field]?.[0] ?? '')),
      rows.map((row) => [
        row.flow.src.includes(':') ? '' : row.flow.src,
        row.flow.src.includes(':') ? row.flow.src : '',
        String(row.flow.srcPort),
        String(row.flow.dstPort),
        row.fingerprints?.ja3 ?? '',
        // The timeline gives a HelloRetryRequest no JA3S, tshark does.
        row.tls?.helloRetryRequest
          ? (read[row.seq]?.['tls.handshake.ja3s']?.[0] ?? '')
          : (row.fingerprints?.ja3s ?? ''),
        row.tls?.serverName ?? '',
        `process cl\\x1b[31mient, pid ${4242 + row.seq}, exe /usr/bin/ключ, seq ${row.seq}`,
        epoch(row.time),
      ]),
    );
  },
);

testUnless(reasonAgainstTshark(), 'no packet is malformed, out of order or has a wrong checksum', async (t) => {
  const file = await written(
    t,
    timeline('clients.pcapng', 'hello-retry.pcapng', 'big-hello.pcap', 'dtls.pcapng', 'quic.pcapng'),
  );
  const faults = [
    '_ws.malformed',
    'ip.checksum.status == "Bad"',
    'tcp.checksum.status == "Bad"',
    'udp.checksum.status == "Bad"',
    'tcp.analysis.flags',
  ];
  t.deepEqual(await tsharkFields(file, faults.join(' or '), ['frame.number', '_ws.col.Info'], CHECKSUMS), []);
});

testUnless(reasonAgainstTshark(), 'tshark opens the QUIC packets and finds the same randoms and names', async (t) => {
  const rows = timeline('quic.pcapng');
  const file = await written(t, rows);
  const read = await tsharkFields(file, 'quic and tls.handshake.random', [
    'tls.handshake.random',
    'udp.srcport',
    'tls.handshake.extensions_server_name',
  ]);
  t.deepEqual(
    read.map((packet) => Object.values(packet).map(([value]) => value ?? '')),
    rows.map((row) => [randomOf(row, 6), String(row.flow.srcPort), row.tls?.serverName ?? '']),
  );
});

testUnless(reasonAgainstTshark(), 'a QUIC ServerHello alone can be opened as well', async (t) => {
  const [, server] = timeline('quic.pcapng');
  const file = await written(t, server ? [server] : []);
  const read = await tsharkFields(file, 'tls.handshake.type == 2', ['tls.handshake.random']);
  t.deepEqual(read, [{ 'tls.handshake.random': [server ? randomOf(server, 6) : ''] }]);
});

testUnless(reasonAgainstTshark(), 'tshark finds the same DTLS hellos', async (t) => {
  const rows = timeline('dtls.pcapng');
  const file = await written(t, rows);
  const read = await tsharkFields(file, 'dtls.handshake.random', ['dtls.handshake.random', 'udp.dstport']);
  t.deepEqual(
    read.map((packet) => Object.values(packet).map(([value]) => value ?? '')),
    rows.map((row) => [randomOf(row, 14), String(row.flow.dstPort)]),
  );
});

testUnless(
  reasonAgainstCommands('capinfos'),
  'capinfos calls it a pcapng with one raw IP interface and nanoseconds',
  async (t) => {
    const { stdout } = await execa('capinfos', ['-t', '-E', '-I', await written(t, timeline('clients.pcapng'))]);
    t.regex(stdout, /File type:\s+Wireshark\/\.\.\. - pcapng/);
    t.regex(stdout, /Encapsulation = Raw IP/);
    t.regex(stdout, /Time precision = nanoseconds \(9\)/);
  },
);

test('what is written can be imported again, with the same hellos', (t) => {
  const rows = timeline('clients.pcapng', 'quic.pcapng', 'dtls.pcapng', 'big-hello.pcap');
  t.deepEqual(
    rowsOf(fileOf(rows)).map(({ time, flow, tls, fingerprints, hello }) => ({
      time,
      flow,
      tls,
      fingerprints,
      raw: hello.raw,
    })),
    rows.map(({ time, flow, tls, fingerprints, hello }) => ({ time, flow, tls, fingerprints, raw: hello.raw })),
  );
});

test('a row with an address that is none is counted, not written', (t) => {
  const [row] = timeline('clients.pcapng');
  if (!row) return t.fail();
  const writer = new HelloPcapng();
  t.is(writer.hello({ ...row, flow: { ...row.flow, src: 'nowhere' } }).length, 0);
  t.is(writer.skipped, 1);
});

function timeline(...fixtures: string[]): Handshake[] {
  const rows = fixtures.flatMap((name) => rowsOf(readFixture(name)));
  rows.sort((a, b) => (a.time < b.time ? -1 : 1));
  return rows.map((row, seq) => ({
    seq,
    ...row,
    role: row.kind,
    process: {
      pid: 4242 + seq,
      tid: 4242,
      startTimeNs: '1',
      ppid: 1,
      uid: 0,
      gid: 0,
      // A process may call itself anything, and an escape sequence must not reach a terminal.
      comm: 'cl\u001b[31mient',
      threadComm: null,
      exe: '/usr/bin/ключ',
      cgroup: null,
      container: null,
      attribution: 'connect',
      sender: null,
    },
  }));
}

function fileOf(rows: readonly Handshake[]): Buffer {
  const writer = new HelloPcapng();
  return Buffer.concat([writer.header('tlsnap test'), ...rows.map((row) => writer.hello(row))]);
}

async function written(t: ExecutionContext, rows: readonly Handshake[]): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'tlsnap-pcapng-'));
  t.teardown(() => rm(folder, { recursive: true }));
  const file = join(folder, 'hellos.pcapng');
  await writeFile(file, fileOf(rows));
  return file;
}

const epoch = (time: string): string => `${Date.parse(`${time.slice(0, 19)}Z`) / 1000}.${time.slice(20, 29)}`;

function randomOf({ hello }: Handshake, start: number): string {
  return Buffer.from(hello.raw, 'base64').toString('hex', start, start + 32);
}
