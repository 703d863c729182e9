import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { reasonAgainstCommands, reasonAgainstLiveTests, testUnless } from '../left-out.js';
import { only, onPort } from './judge.js';
import { keptSockets, type SocketState } from './bpf-objects.js';
import { makeCertificate, freePort, openStage, until } from './live.js';
import { startTlsServer, writeHello } from './programs.js';
import { assertAsSaid, openRoughLink, openVethPair, rawOf, startEnds } from './network.js';

// Hellos that come in pieces. What they must equal is what the ends' OpenSSL gave out before anything was cut, as the
// ends logged it.

const reason = reasonAgainstLiveTests() ?? reasonAgainstCommands('python3', 'openssl', 'ip');

for (const cut of ['bytes', 'records=100', 'records=3', 'records=1', 'records=1,bytes']) {
  testUnless(reason, `hellos cut into ${cut} come out whole, at both ends`, async (t) => {
    const stage = await openStage(t);
    const ends = await startEnds(stage, { cut });
    const { handshakes } = await stage.capture(() => ends.connect('cut.example'));
    assertAsSaid(t, handshakes, ends);
    const size = Number(/records=(\d+)/.exec(cut)?.[1] ?? Infinity);
    for (const { hello, tls, kind } of handshakes) {
      t.is(hello.records, size === Infinity ? 1 : Math.ceil(Buffer.from(hello.raw, 'base64').length / size));
      if (kind === 'client') t.is(tls?.serverName, 'cut.example');
    }
  });
}

for (const [cut, serverCut] of [
  ['whole', 'whole'],
  ['bytes', 'bytes'],
  ['records=50', 'whole'],
  ['records=1,bytes', 'bytes'],
  ['whole', 'records=50'],
  ['records=50', 'records=50,bytes'],
  ['records=1', 'records=1'],
] as const) {
  testUnless(
    reason,
    `a HelloRetryRequest gives four events an end, the client's cut into ${cut}, the server's ${serverCut}`,
    async (t) => {
      const stage = await openStage(t);
      const ends = await startEnds(stage, { cut, serverCut, curve: 'secp521r1' });
      const { handshakes } = await stage.capture(() => ends.connect('retry.example'));
      assertAsSaid(t, handshakes, ends);
      t.is(only(t, ends.clientSaid(), 'connection').sent.length, 2);
      for (const role of ['client', 'server'] as const) {
        const own = handshakes.filter((event) => event.role === role);
        t.deepEqual(
          own.map(({ kind, hello, tls }) => [
            kind,
            hello.afterRetry,
            tls !== null && 'helloRetryRequest' in tls && tls.helloRetryRequest,
          ]),
          [
            ['client', false, false],
            ['server', false, true],
            ['client', true, false],
            ['server', true, false],
          ],
          role,
        );
        t.is(own.filter(({ fingerprints }) => fingerprints?.ja3s).length, 1, 'a retry has no JA3S');
      }
    },
  );
}

testUnless(
  reason,
  'a socket that connects again is another connection, and completes no hello of the last',
  async (t) => {
    const stage = await openStage(t);
    const { file, message } = await writeHello(stage.directory);
    const ports: number[] = [];
    for (let server = 0; server < 3; server++) {
      const port = await freePort();
      await stage.serve(port, 'openssl', ['s_server', '-accept', `127.0.0.1:${port}`, '-nocert', '-cipher', 'ALL']);
      ports.push(port);
    }
    const script = join(import.meta.dirname, 'actors/connect_again.py');
    const sent = [100, message.length + 5, message.length + 5];
    const { handshakes } = await stage.capture(async () => {
      await stage.run('python3', [script, file, ...ports.flatMap((port, at) => [String(port), String(sent[at])])]);
    });
    const clients = handshakes.filter(({ kind, role }) => kind === 'client' && role === 'client');
    t.deepEqual(
      clients.map(({ flow }) => flow.dstPort),
      ports,
    );
    t.deepEqual(
      clients.map(({ hello }) => Buffer.from(hello.raw, 'base64')),
      [message.subarray(0, 95), message, message],
    );
    t.deepEqual(
      clients.map(({ hello }) => hello.complete),
      [false, true, true],
    );
  },
);

testUnless(reason, 'a HelloRetryRequest between openssl s_client and s_server is told as such', async (t) => {
  const stage = await openStage(t);
  const { keyFile, certFile } = await makeCertificate(stage.directory);
  const port = await freePort();
  const server = [
    's_server',
    '-accept',
    String(port),
    '-key',
    keyFile,
    '-cert',
    certFile,
    '-groups',
    'P-521',
    '-quiet',
  ];
  await stage.serve(port, 'openssl', server);
  const { handshakes } = await stage.capture(async () => {
    await stage.run('openssl', [
      's_client',
      '-connect',
      `127.0.0.1:${port}`,
      '-groups',
      'X25519:P-521',
      '-servername',
      'retry.example',
    ]);
  });
  t.deepEqual(
    handshakes.filter(({ role }) => role === 'server').map(({ kind, hello }) => [kind, hello.afterRetry]),
    [
      ['client', false],
      ['server', false],
      ['client', true],
      ['server', true],
    ],
  );
  t.is(handshakes.length, 8);
});

for (const [mtu, host] of [
  [296, '10.98.0.2'],
  [1280, 'fd98::2'],
] as const) {
  testUnless(reason, `a 4 kB hello comes out whole in segments of a link with an MTU of ${mtu}`, async (t) => {
    const stage = await openStage(t);
    const [clientIn, serverIn] = await openVethPair(t, mtu);
    const ends = await startEnds(stage, { host, clientIn, serverIn });
    const { handshakes } = await stage.capture(() => ends.connect('mtu.example', 'alpn=150'));
    assertAsSaid(t, handshakes, ends);
    for (const { kind, hello } of handshakes) {
      const bytes = Buffer.from(hello.raw, 'base64').length;
      if (kind === 'client')
        t.true(bytes > 3500 && hello.segments >= bytes / mtu, `${hello.segments} segments for ${bytes} bytes`);
    }
  });
}

testUnless(reason, 'hellos come out whole at both ends of a link that loses 15 % of all packets', async (t) => {
  const stage = await openStage(t);
  const link = await openRoughLink(t, { mtu: 576, loss: 0.15 });
  const ends = await startEnds(stage, { host: '10.99.0.2', clientIn: link.here, serverIn: link.there });
  const { handshakes, snapshot } = await stage.capture(() => ends.connect('loss.example', 'alpn=60', 'connections=25'));
  assertAsSaid(t, handshakes, ends);
  const { packets, lost } = await link.close();
  t.true(lost > packets * 0.08 && lost < packets * 0.22, `${lost} of ${packets} were lost`);
  t.deepEqual(snapshot.manifest.coverage.lossesByKind, {});
});

testUnless(
  reason ?? reasonAgainstCommands('bpftool', 'clang'),
  'of connections whose hellos came in pieces, some of them lost at first, nothing is kept once all is out',
  async (t) => {
    const stage = await openStage(t);
    // Both hellos take several segments of this size.
    const link = await openRoughLink(t, { mtu: 140, loss: 0.15 });
    const ends = await startEnds(stage, { host: '10.99.0.2', clientIn: link.here, serverIn: link.there });
    const capture = await stage.openCapture();
    const socketsOf = await keptSockets(capture.process.pid ?? 0);
    const silent = stage.start('python3', ['-c', SILENT]);
    await until('something is kept for a connection without a hello', 10_000, async () => {
      return (await socketsOf([silent.pid])).some(({ kept }) => kept);
    });
    const held = join(stage.directory, 'held');
    await writeFile(held, '');
    const connecting = ends.connect('kept.example', 'connections=30', `hold=${held}`);
    const ready = () => ends.clientSaid().length === 30 && ends.serverSaid().length === 30;
    await until('all have shaken hands', 60_000, ready);
    const owners = [...ends.clientSaid().map(({ pid }) => pid), ends.server.pid];
    let left: SocketState[] = [];
    // Some packets more, after which no hole is waited for.
    for (let patience = 60; patience > 0; patience--) {
      const connected = (await socketsOf(owners)).filter(({ remote }) => remote !== 0);
      t.is(connected.length, 60);
      left = connected.filter(({ kept }) => kept);
      if (left.length === 0) break;
      await sleep(250);
    }
    await rm(held);
    await connecting;
    t.deepEqual(left, []);
    capture.process.kill('SIGINT');
    const { handshakes } = await capture.finished();
    assertAsSaid(t, handshakes, ends);
    // Before it is cut, what goes out is one.
    for (const { hello } of handshakes.filter(({ kind, role }) => kind !== role)) t.true(hello.segments > 1);
    t.true((await link.close()).lost > 100);
  },
);

testUnless(reason, 'hellos come out whole where packets overtake each other, come twice and get lost', async (t) => {
  const stage = await openStage(t);
  const link = await openRoughLink(t, { mtu: 400, loss: 0.03, double: 0.1, delayMs: 12 });
  const ends = await startEnds(stage, { host: '10.99.0.2', clientIn: link.here, serverIn: link.there });
  const { handshakes } = await stage.capture(() => ends.connect('order.example', 'alpn=100', 'connections=25'));
  assertAsSaid(t, handshakes, ends);
  const { doubled, overtaken } = await link.close();
  t.true(doubled > 20 && overtaken > 100, `${doubled} came twice, ${overtaken} were overtaken`);
});

testUnless(reason, 'a hello in the same 64 kB packet as what follows it is the hello and nothing more', async (t) => {
  const stage = await openStage(t);
  const ends = await startEnds(stage);
  // What the client says is taken from a real connection, and said again with 60 kB behind it in one write.
  const { handshakes } = await stage.capture(async () => {
    await ends.connect('large.example');
    const hello = ends.clientSaid()[0]?.sent[0] ?? '';
    const script = `
import socket
hello = bytes.fromhex("${hello}")
record = bytes([22, 3, 1]) + len(hello).to_bytes(2, "big") + hello
connection = socket.create_connection(("127.0.0.1", ${ends.port}))
assert connection.send(record + bytes([23, 3, 3, 0x40, 0]) * 12000) > 60000
connection.shutdown(socket.SHUT_WR)
try:
    while connection.recv(65536): pass
except ConnectionResetError: pass
`;
    await stage.run('python3', ['-c', script]);
  });
  const sent = ends.clientSaid()[0]?.sent[0] ?? '';
  const large = onPort(handshakes, ends.port);
  t.deepEqual(rawOf(large, 'client', 'client'), [sent, sent]);
  t.deepEqual(rawOf(large, 'client', 'server'), [sent, sent]);
});

testUnless(reason, 'the time of a hello in small segments is that at which nine bytes of it were there', async (t) => {
  const stage = await openStage(t);
  const { file } = await writeHello(stage.directory);
  const { port } = await startTlsServer(stage);
  const said: number[] = [];
  const { handshakes } = await stage.capture(async () => {
    const { stdout } = await stage.run('python3', ['-c', SLOWLY, String(port), file]);
    said.push(...String(stdout).split(' ').map(Number));
  });
  const client = only(
    t,
    handshakes.filter(({ kind, role }) => kind === 'client' && role === 'client'),
    'ClientHello',
  );
  const [, ninth = 0, rest = 0] = said;
  const time = Date.parse(client.time);
  // Date.parse() leaves out what is below a millisecond.
  t.true(time >= Math.floor(ninth) - 1 && time < rest, `${client.time} is not in ${said.join(', ')}`);
});

/** Sends eight bytes of a hello, the ninth, and the rest, and says when, in ms since 1970. */
const SLOWLY = `
import socket, sys, time
hello = open(sys.argv[2], "rb").read()
client = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
said = []
for part in hello[:8], hello[8:9], hello[9:]:
    said.append(str(time.time() * 1000))
    client.sendall(part)
    time.sleep(0.3)
client.recv(1)
print(*said)
`;

/** Connects to itself, and says nothing. */
const SILENT = `
import socket, time
server = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(server.getsockname())
time.sleep(60)
`;
