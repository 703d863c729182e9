import { readFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { reasonAgainstCommands, reasonAgainstLiveTests, testUnless } from '../left-out.js';
import { onPort, randomOf } from './judge.js';
import { freePort, makeCertificate, openStage } from './live.js';
import { capturePackets } from './packets.js';
import { startTlsServer, writeHello } from './programs.js';

// Hellos that do not begin a stream. The clients are openssl's and curl's own; what the hellos must say is what the clients
// were told to ask for, and, through a proxy, what tshark reads behind it.

const reason = reasonAgainstLiveTests() ?? reasonAgainstCommands('python3', 'openssl', 'curl', 'tshark');
const ACTORS = join(import.meta.dirname, 'actors');

for (const protocol of ['smtp', 'imap', 'postgres', 'ldap']) {
  testUnless(reason, `the hellos behind ${protocol}'s STARTTLS are found, at both ends`, async (t) => {
    const stage = await openStage(t);
    const { keyFile, certFile } = await makeCertificate(stage.directory);
    const port = await freePort();
    const args = [join(ACTORS, 'starttls_server.py'), protocol, String(port), certFile, keyFile];
    const server = await stage.serve(port, 'python3', args);
    const client = ['s_client', '-starttls', protocol, '-connect', `127.0.0.1:${port}`, '-servername', 'start.example'];
    const { handshakes } = await stage.capture(async () => {
      await stage.run('openssl', client);
    });
    t.deepEqual(handshakes.map(({ kind, role }) => `${kind} at ${role}`).sort(), [
      'client at client',
      'client at server',
      'server at client',
      'server at server',
    ]);
    for (const { kind, role, hello, tls, process } of handshakes) {
      t.true(hello.complete);
      t.true((hello.streamOffset ?? 0) > 0);
      if (kind === 'client') t.is(tls?.serverName, 'start.example');
      if (role === 'client') t.is(process?.comm, 'openssl');
      else t.is(process?.pid, server.pid);
    }
  });
}

for (const [kind, flag] of [
  ['http', '--proxy'],
  ['socks', '--socks5-hostname'],
] as const) {
  testUnless(
    reason,
    `the hellos through a ${kind} proxy are found on either side of it, with the owner of each`,
    async (t) => {
      const stage = await openStage(t);
      const { port, server } = await startTlsServer(stage);
      const proxyPort = await freePort();
      const proxy = await stage.serve(proxyPort, 'python3', [join(ACTORS, 'proxy.py'), kind, String(proxyPort)]);
      const packets = await capturePackets(stage.directory, [port]);
      const { handshakes } = await stage.capture(async () => {
        const url = `https://localhost:${port}/`;
        await stage.run('curl', [
          '--silent',
          '--insecure',
          '--ipv4',
          '--noproxy',
          '',
          flag,
          `127.0.0.1:${proxyPort}`,
          url,
        ]);
      });
      const read = await packets.hellos();
      t.is(read.length, 2);
      t.is(handshakes.length, 8);
      const before = onPort(handshakes, proxyPort);
      const behind = onPort(handshakes, port);
      for (const hello of read) {
        for (const events of [before, behind]) {
          t.is(events.filter((event) => event.kind === hello.kind && randomOf(event) === hello.random).length, 2);
        }
      }
      t.deepEqual(
        new Set(before.map(({ role, process }) => `${role} ${process?.comm}`)),
        new Set(['client curl', `server ${readFileSync(`/proc/${proxy.pid}/comm`, 'utf8').trim()}`]),
      );
      t.true(before.every(({ hello }) => (hello.streamOffset ?? 0) > 0));
      for (const { role, process, hello } of behind) {
        t.is(process?.pid, role === 'client' ? proxy.pid : server.pid);
        t.is(hello.streamOffset, 0);
      }
    },
  );
}

testUnless(reason, 'a hello in one segment with the PROXY header before it is found, at both ends', async (t) => {
  const stage = await openStage(t);
  const { file, message } = await writeHello(stage.directory);
  const { keyFile, certFile } = await makeCertificate(stage.directory);
  const port = await freePort();
  await stage.serve(port, 'openssl', ['s_server', '-accept', `127.0.0.1:${port}`, '-key', keyFile, '-cert', certFile]);
  // The examples of the PROXY protocol's specification, sections 2.1 and 2.2, and the longest line of version 1.
  const signature = Buffer.from('0d0a0d0a000d0a515549540a', 'hex');
  const headers = [
    Buffer.from('PROXY TCP4 192.0.2.1 198.51.100.7 56324 443\r\n'),
    Buffer.from(`PROXY UNKNOWN ${'f'.repeat(91)}\r\n`),
    Buffer.concat([signature, Buffer.from('2111000cc0000201c6336407dc0401bb', 'hex')]),
    Buffer.concat([signature, Buffer.from('21110200', 'hex'), Buffer.alloc(512)]),
  ];
  const files = await Promise.all(
    headers.map(async (header, at) => {
      const name = join(stage.directory, `proxied-${at}`);
      await writeFile(name, Buffer.concat([header, await readFile(file)]));
      return name;
    }),
  );
  const { handshakes, snapshot } = await stage.capture(async () => {
    await stage.run('python3', [join(ACTORS, 'send_hellos.py'), String(port), ...files]);
  });
  for (const role of ['client', 'server'] as const) {
    t.deepEqual(
      handshakes
        .filter((event) => event.role === role)
        .map(({ hello }) => [hello.streamOffset, Buffer.from(hello.raw, 'base64').equals(message)]),
      headers.map(({ length }) => [length, true]),
    );
  }
  t.deepEqual(snapshot.manifest.coverage.lossesByKind, {});
});

testUnless(reason, 'plain HTTP yields no event, and is counted as connections without a hello', async (t) => {
  const stage = await openStage(t);
  const port = await freePort();
  await stage.serve(port, 'python3', ['-m', 'http.server', '--bind', '127.0.0.1', String(port)], {
    cwd: join(ACTORS, '../../../fixtures'),
  });
  const { handshakes, snapshot } = await stage.capture(async () => {
    for (const path of ['', 'README.md', 'hellos/hellos.ndjson', 'none']) {
      await stage.run('curl', [
        '--silent',
        '--noproxy',
        '*',
        '--output',
        '/dev/null',
        `http://127.0.0.1:${port}/${path}`,
      ]);
    }
  });
  t.deepEqual(handshakes, []);
  t.is(snapshot.manifest.coverage.connectionsWithoutHello, 8);
});
