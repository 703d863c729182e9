import { statSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { reasonAgainstCommands, reasonAgainstLiveTests, testUnless } from '../left-out.js';
import { only } from './judge.js';
import { freePort, openStage, until } from './live.js';
import {
  assertAsSaid,
  openNamespace,
  openRoughLink,
  openVethPair,
  rawOf,
  startEnds,
  type Namespace,
} from './network.js';

import { outputOf, writeHello } from './programs.js';

// Hellos that reach a listener before there is a connection, and connections that look like others. What the events must
// equal is what the ends' OpenSSL gave out, as the ends logged it.

const reason = reasonAgainstLiveTests() ?? reasonAgainstCommands('python3', 'ip');
const ACTORS = join(import.meta.dirname, 'actors');

// A listener on :: takes IPv4 as v4-mapped addresses.
for (const [listen, host] of [
  ['127.0.0.1', '127.0.0.1'],
  ['::', '127.0.0.1'],
  ['::1', '::1'],
] as const) {
  testUnless(
    reason,
    `a hello on the SYN (TCP Fast Open) to ${host}, listening on ${listen}, is joined to its connection and owner`,
    async (t) => {
      const stage = await openStage(t);
      const own = await openNamespace(t);
      // Client and server, data without a cookie, on every listener: Documentation/networking/ip-sysctl.rst.
      await execa('ip', ['netns', 'exec', own.name, 'sysctl', '-qw', 'net.ipv4.tcp_fastopen=1543']);
      const ends = await startEnds(stage, { host, listen, clientIn: own, serverIn: own });
      const { handshakes } = await stage.capture(async () => {
        await ends.connect('first.example', 'fastopen');
        await ends.connect('second.example', 'fastopen', 'alpn=30');
      });
      t.is(await counterOf(own, 'TCPFastOpenPassive'), 2, 'the kernel took both');
      assertAsSaid(t, handshakes, ends);
      t.is(new Set(handshakes.map(({ flow }) => flow.cookie)).size, 4);
    },
  );
}

for (const [listen, host] of [
  ['10.99.0.2', '10.99.0.2'],
  ['::', '10.99.0.2'],
  ['fd99::2', 'fd99::2'],
] as const) {
  testUnless(
    reason,
    `a hello behind a lost third ACK to ${host}, listening on ${listen}, is joined to its connection and owner`,
    async (t) => {
      const stage = await openStage(t);
      const link = await openRoughLink(t, { thirdAck: true });
      const ends = await startEnds(stage, { host, listen, clientIn: link.here, serverIn: link.there });
      const { handshakes } = await stage.capture(() => ends.connect('third.example', 'connections=5', 'alpn=100'));
      assertAsSaid(t, handshakes, ends);
      const { thirdAcks } = await link.close();
      t.true(thirdAcks >= 5, `${thirdAcks} third ACKs were dropped`);
    },
  );
}

testUnless(reason, 'a hello of which a part is lost with the third ACK is joined all the same', async (t) => {
  const stage = await openStage(t);
  const link = await openRoughLink(t, { thirdAck: true, mtu: 576, loss: 0.1, delayMs: 5 });
  const ends = await startEnds(stage, { host: '10.99.0.2', clientIn: link.here, serverIn: link.there });
  const { handshakes } = await stage.capture(() => ends.connect('third.example', 'connections=20', 'alpn=100'));
  assertAsSaid(t, handshakes, ends);
  await link.close();
});

testUnless(
  reason,
  'the same addresses and ports in two network namespaces are two connections with their own owners',
  async (t) => {
    const stage = await openStage(t);
    const port = await freePort();
    const worlds = await Promise.all(
      ['one.example', 'two.example'].map(async (name) => {
        const own = await openNamespace(t);
        return { name, own, ends: await startEnds(stage, { port, clientIn: own, serverIn: own }) };
      }),
    );
    const { handshakes } = await stage.capture(async () => {
      await Promise.all(worlds.map(({ name, ends }) => ends.connect(name, 'from=40000')));
    });
    t.is(handshakes.length, 8);
    for (const { name, own, ends } of worlds) {
      const { ino } = statSync(join('/run/netns', own.name));
      const here = handshakes.filter(({ flow }) => flow.netns === ino);
      assertAsSaid(t, here, ends);
      for (const { kind, tls, flow } of here) {
        if (kind !== 'client') continue;
        t.is(tls?.serverName, name);
        t.deepEqual([flow.srcPort, flow.dstPort], [40000, port]);
      }
    }
  },
);

testUnless(reason, 'a hello behind an IPv6 extension header on every packet is found', async (t) => {
  const stage = await openStage(t);
  const [clientIn, serverIn] = await openVethPair(t, 1500);
  const ends = await startEnds(stage, { host: 'fd98::2', clientIn, serverIn });
  const { handshakes } = await stage.capture(() => ends.connect('extension.example', 'destination-options'));
  assertAsSaid(t, handshakes, ends);
});

testUnless(reason, 'an SSLv2-compatible ClientHello is found and told as such', async (t) => {
  const stage = await openStage(t);
  const port = await freePort();
  // RFC 5246 appendix E.2: length with the top bit set, type 1, version 3.3, three ciphers, no session, a challenge of 16.
  const ciphers = Buffer.from([0, 0, 0x2f, 0, 0, 0x35, 0, 0, 0xff]);
  const body = Buffer.concat([Buffer.from([1, 3, 3, 0, ciphers.length, 0, 0, 0, 16]), ciphers, Buffer.alloc(16, 7)]);
  const hello = Buffer.concat([Buffer.from([0x80, body.length]), body]);
  await stage.serve(port, 'python3', [
    '-c',
    `
import socket
listener = socket.create_server(("127.0.0.1", ${port}))
listener.accept()[0].recv(1000)
`,
  ]);
  const { handshakes } = await stage.capture(async () => {
    await stage.run('python3', [
      '-c',
      `
import socket
connection = socket.create_connection(("127.0.0.1", ${port}))
connection.send(bytes.fromhex("${hello.toString('hex')}"))
connection.recv(1)
`,
    ]);
  });
  for (const role of ['client', 'server'] as const) {
    t.deepEqual(rawOf(handshakes, 'client', role), [hello.toString('hex')]);
    const event = only(
      t,
      handshakes.filter((one) => one.role === role),
      role,
    );
    t.true(event.hello.sslv2);
    t.deepEqual(event.tls?.cipherSuites, [0x2f, 0x35, 0xff]);
  }
});

/** A counter of the kernel's TCP in this namespace. */
async function counterOf({ within }: Namespace, name: string): Promise<number> {
  const [command = '', ...args] = within;
  const { stdout } = await execa(command, [...args, 'cat', '/proc/net/netstat']);
  const [names = '', values = ''] = stdout.split('\n').filter((line) => line.startsWith('TcpExt:'));
  return Number(values.split(' ')[names.split(' ').indexOf(name)]);
}

testUnless(reason, 'a connection that began to be made before the window is followed when it is made', async (t) => {
  const stage = await openStage(t);
  const { file, message } = await writeHello(stage.directory);
  const port = await freePort();
  const actor = stage.start('python3', [join(ACTORS, 'wait_to_connect.py'), String(port), file]);
  const output = outputOf(actor);
  await until('it waits', 10_000, () => output().includes('waiting'));
  const { handshakes, snapshot } = await stage.capture(async () => {
    actor.process.stdin?.write('now\n');
    await actor.process;
  });
  const event = only(
    t,
    handshakes.filter(({ role }) => role === 'client'),
    'at the client',
  );
  t.is(event.flow.srcPort, Number(output().split('\n')[1]));
  t.is(event.process?.pid, actor.pid);
  t.deepEqual(Buffer.from(event.hello.raw, 'base64'), message);
  t.deepEqual(snapshot.manifest.coverage.lossesByKind, {});
});
