import { chmod, copyFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { diffSnapshots, type Diff } from '../../src/analysis/diff.js';
import type { ReplayEvent } from '../../src/analysis/replay-event.js';
import { replaySnapshot } from '../../src/analysis/replay.js';
import { freePort, makeCertificate, openStage, type Captured, type Stage } from './live.js';
import { reasonAgainstCommands, reasonAgainstLiveTests, testUnless } from '../left-out.js';
import { realHello } from '../analysis/made-snapshot.js';

// Real captures: what is expected is what the test itself did, pids are those it started.

const reason = reasonAgainstLiveTests() ?? reasonAgainstCommands('openssl', 'python3');

testUnless(
  reason,
  'a session and its resumption, from other pids and ports, differ in their command line alone',
  async (t) => {
    const stage = await openStage(t);
    const port = await freePort();
    const { keyFile, certFile } = await makeCertificate(stage.directory);
    await stage.serve(port, 'openssl', [
      's_server',
      '-accept',
      String(port),
      '-key',
      keyFile,
      '-cert',
      certFile,
      '-quiet',
    ]);
    const session = join(stage.directory, 'session');
    const connect = ['s_client', '-connect', `127.0.0.1:${port}`, '-servername', 'a.example'];
    // TLS 1.3 sends its tickets after the handshake: the client stays until it has one.
    const wait = ['-c', '(sleep 1; echo Q) | openssl "$@"', 'sh', ...connect];
    const before = await stage.capture(async () => {
      await stage.run('sh', [...wait, '-sess_out', session]);
    });
    const after = await stage.capture(async () => {
      await stage.run('sh', [...wait, '-sess_in', session]);
    });
    const ja3 = [before, after].map(
      ({ handshakes }) => handshakes.find(({ kind }) => kind === 'client')?.fingerprints?.ja3,
    );
    t.not(ja3[0], ja3[1], 'it was no resumption');
    const diff = await diffSnapshots(before.path, after.path, []);
    t.deepEqual(
      of(diff, [
        'fingerprint',
        'inbound-fingerprint',
        'server-fingerprint',
        'fingerprints-of-executable',
        'executable',
      ]),
      [],
    );
    t.deepEqual(of(diff, ['destination', 'server-name', 'listening']), []);
    t.deepEqual(diff.findings, []);
  },
);

testUnless(
  reason,
  "a program from /tmp, a deleted one, and Chromium's hello out of Python are found, with who and where",
  async (t) => {
    const stage = await openStage(t);
    const port = await freePort();
    const { keyFile, certFile } = await makeCertificate(stage.directory);
    const server = ['s_server', '-accept', String(port), '-key', keyFile, '-cert', certFile, '-quiet'];
    await stage.serve(port, 'openssl', server);
    const hello = Buffer.from(realHello('chromium').message);
    const record = Buffer.concat([Buffer.from([22, 3, 1, hello.length >> 8, hello.length & 0xff]), hello]);
    await writeFile(join(stage.directory, 'record'), record);
    const dropped = join(stage.directory, 'dropped');
    const captured = await stage.capture(async () => {
      await drop(stage, dropped, port);
      const code = `import socket; s = socket.create_connection(("127.0.0.1", ${port})); s.sendall(open("record", "rb").read()); s.recv(1)`;
      await stage.run('python3', ['-c', code]);
    });
    const clean = await stage.capture(async () => {
      await stage.run('openssl', ['s_client', '-connect', `127.0.0.1:${port}`]);
    });
    const { findings } = await diffSnapshots(clean.path, captured.path, []);
    const pidOf = (name: RegExp) =>
      captured.handshakes.find(({ role, process }) => role === 'client' && name.test(process?.exe ?? ''))?.process?.pid;
    const unusual = findings.find(({ kind }) => kind === 'unusual-executable');
    t.like(unusual, { status: 'new', confidence: 'high', exe: dropped, pid: pidOf(/dropped$/) });
    const browser = findings.find(({ kind }) => kind === 'browser-fingerprint');
    t.like(browser, { status: 'new', pid: pidOf(/python[\d.]*$/) });
    t.regex(basename(browser?.exe ?? ''), /^python/);
    t.is(captured.handshakes[browser?.seqs[0] ?? -1]?.process?.pid, browser?.pid ?? null);
    t.is(findings.length, 2);
    await assertPlays(captured, (message) => t.fail(message));
  },
);

/** Runs a copy of openssl whose file is gone before it starts: by a descriptor, as droppers do. */
async function drop(stage: Stage, path: string, port: number): Promise<void> {
  const openssl = String((await stage.run('sh', ['-c', 'command -v openssl'])).stdout);
  await copyFile(openssl, path);
  await chmod(path, 0o700);
  const start = ['-c', 'exec 3<"$0" && rm "$0" && exec /proc/self/fd/3 "$@"', path];
  await stage.run('bash', [...start, 's_client', '-connect', `127.0.0.1:${port}`]);
}

/** Each process of a hello appears, and nothing of it comes after it has vanished. */
async function assertPlays({ path, processes }: Captured, fail: (message: string) => void): Promise<void> {
  const events: ReplayEvent[] = [];
  const summary = await replaySnapshot(path, { speed: Infinity, feeds: [] }, (some) => {
    events.push(...some);
    return Promise.resolve();
  });
  if (summary.differing > 0) fail('something differs');
  for (const { pid, startTimeNs } of processes) {
    const mine = events.filter(
      (event) => 'process' in event && event.process?.pid === pid && event.process.startTimeNs === startTimeNs,
    );
    if (mine.filter(({ type }) => type === 'process').length !== 1) fail(`${pid} does not appear once`);
    const exit = mine.findIndex(({ type }) => type === 'exit');
    if (exit !== -1 && exit !== mine.length - 1) fail(`${pid} acts after its end`);
  }
}

function of({ differences }: Diff, categories: readonly string[]): string[] {
  return differences
    .filter(({ category }) => categories.includes(category))
    .map(({ change, category, value }) => `${change} ${category} ${value}`);
}
