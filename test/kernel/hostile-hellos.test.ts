import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'csv-parse/sync';
import { execa } from 'execa';
import { reasonAgainstCommands, reasonAgainstLiveTests, testUnless } from '../left-out.js';
import { clientHello, extension, records } from '../tls/wire.js';
import { assertVerifies, onPort } from './judge.js';
import { openStage, TLSNAP } from './live.js';
import { compileActor, startTlsServer } from './programs.js';

// Server names and protocols as an attacker would choose them, sent for real. What went out is what the test put together;
// tar, a reader of CSV and the bytes on the terminal judge what became of it.

const reason = reasonAgainstLiveTests() ?? reasonAgainstCommands('cc', 'openssl', 'tar');

/** Each byte one character. */
const NAMES = {
  newline: 'a\n{"seq":0}\r\n',
  'terminal escapes': '\x1b]0;owned\x07\x1b[2J\x9b31m',
  formula: "=cmd|' /C calc'!A0",
  'a path upwards': '../../../etc/passwd',
  NUL: 'a.example\0.evil.example',
  'invalid UTF-8': 'x\xff\xfe\xc0\x80y',
  'a right-to-left override': Buffer.from('exe\u202etxt.live').toString('latin1'),
  markup: '</script><script>globalThis.canary=1</script><img src=x onerror=canary>',
  'sixty thousand bytes': '=\x1b'.repeat(30_000),
};

testUnless(reason, 'hostile server names and protocols are kept byte by byte, and do no harm anywhere', async (t) => {
  const stage = await openStage(t);
  const client = await compileActor(stage.directory, 'hello-client');
  const { port } = await startTlsServer(stage);
  const messages = Object.values(NAMES).map((name) => messageOf(name));
  const captured = await stage.capture(async () => {
    for (const [index, message] of messages.entries()) {
      const file = join(stage.directory, `hello-${index}`);
      await writeFile(file, records(message));
      await stage.run(client, [String(port), file, '150']).catch(() => undefined);
    }
  });
  const sent = onPort(captured.handshakes, port).filter(({ kind, role }) => kind === 'client' && role === 'client');
  t.is(sent.length, messages.length);
  for (const [index, [what, name]] of Object.entries(NAMES).entries()) {
    const { hello, tls, error } = sent[index] ?? {};
    t.true(Buffer.from(hello?.raw ?? '', 'base64').equals(messages[index] ?? Buffer.alloc(0)), what);
    t.true(hello?.complete, what);
    t.is(error, null, what);
    t.is(tls?.serverName, name, what);
    t.deepEqual(tls?.alpn, [name.slice(0, 255), 'h2'], what);
  }
  await assertVerifies(t, captured.path);
  t.notRegex(captured.stderr, HARMFUL);

  const { stdout: members } = await execa('tar', ['--list', '--gzip', '--file', captured.path]);
  t.true(
    members.split('\n').every((member) => /^[\w.-]+\/[a-z.]+$/.test(member)),
    members,
  );
  const rows = ['--extract', '--gzip', '--to-stdout', '--wildcards', '--file', captured.path, '*/handshakes.ndjson'];
  const { stdout: timeline } = await execa('tar', rows);
  t.is(timeline.split('\n').length, captured.handshakes.length, 'a row is a line');

  const csv = parse<Row>(await said('report', captured.path, '--format', 'csv'), { columns: true, bom: true });
  t.is(csv.length, captured.handshakes.length);
  const names = csv.filter(({ kind, role }) => kind === 'client' && role === 'client').map((row) => row['server_name']);
  t.deepEqual(
    names.map((name) => name?.replace(/^'/, '')),
    Object.values(NAMES),
  );
  for (const cell of csv.flatMap((row) => Object.values(row))) t.notRegex(cell, /^[=+\-@\t\0]\D/);

  const html = await said('report', captured.path, '--format', 'html');
  t.notRegex(html, /<img src=x|<script>globalThis\.canary/);
  t.notRegex(html, HARMFUL);
  for (const args of [
    ['replay', captured.path, '--format', 'table'],
    ['diff', captured.path, captured.path],
    ['verify', captured.path],
  ]) {
    t.notRegex(await said(...args), HARMFUL, args[0]);
  }
});

type Row = Record<string, string>;

/** What a terminal would act on, or show as something else. */
const HARMFUL = /[^\P{Cc}\n]|[\u202a-\u202e\u2066-\u2069]/u;

function messageOf(name: string): Buffer {
  const extensions = [
    extension.serverName(name),
    extension.alpn([name.slice(0, 255), 'h2']),
    extension.groups([29, 23]),
    extension.signatureAlgorithms([0x0403, 0x0804]),
    extension.supportedVersions([0x0304]),
  ];
  return Buffer.from(clientHello({ extensions }));
}

async function said(...args: readonly string[]): Promise<string> {
  const { all } = await execa(process.execPath, [TLSNAP, ...args], {
    reject: false,
    all: true,
    stripFinalNewline: false,
  });
  return all;
}
