import { readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { reasonAgainstCommands, reasonAgainstLiveTests, testUnless } from '../left-out.js';
import { onPort } from './judge.js';
import { freePort, makeCertificate, openStage, PROJECT, until } from './live.js';
import { openNamespace } from './network.js';
import { outputOf, startTlsServer, writeHello } from './programs.js';
import { dump, pinsFor, start, tlsnap } from './recorder-commands.js';

// What the flags of the scope let into a flight recorder. Whose connections there were is what the programs print of themselves.

const reason = reasonAgainstLiveTests() ?? reasonAgainstCommands('openssl', 'python3', 'ip');

testUnless(
  reason,
  '--pid records a process and all its descendants, with no process to watch them, and nobody else',
  async (t) => {
    const stage = await openStage(t);
    const { port } = await startTlsServer(stage);
    const { file } = await writeHello(stage.directory);
    const pins = await pinsFor(t);
    const actor = join(PROJECT, 'test/kernel/actors/send_from_descendants.py');
    const shell = stage.start('sh', ['-c', `exec 3<&0; python3 ${actor} ${port} ${file} <&3 & wait`]);
    const output = outputOf(shell);
    await until('Python waits', 5000, () => output().startsWith('ready'));
    t.is((await start(stage, pins, '--pid', String(shell.pid))).exitCode, 0);
    await stage.run('openssl', ['s_client', '-connect', `127.0.0.1:${port}`]);
    shell.process.stdin?.write('go\n');
    await until('all have sent', 10_000, () => output().split('\n').length > 5);

    const { handshakes, processes, snapshot } = await dump(t, stage, pins);
    const sent = output()
      .trim()
      .split('\n')
      .slice(1)
      .map((line) => (JSON.parse(line) as { pid: number }).pid);
    t.is(sent.length, 4);
    t.deepEqual(
      handshakes.map(({ kind, role, process }) => [kind, role, process?.pid].join(' ')).sort(),
      sent.flatMap((pid) => [`client client ${pid}`, `server client ${pid}`]).sort(),
    );
    const pids = new Set([shell.pid, ...sent]);
    t.true(
      processes.every(({ pid }) => pids.has(pid)),
      'a process that is not in scope was kept',
    );
    t.deepEqual(snapshot.manifest.coverage.lossesByKind, {});
    t.is((await tlsnap('record', 'stop', '--pins', pins)).exitCode, 0);
  },
);

testUnless(reason, '--netns records what happens in that network namespace, and counts the rest', async (t) => {
  const stage = await openStage(t);
  const pins = await pinsFor(t);
  const { within } = await openNamespace(t);
  const { keyFile, certFile } = await makeCertificate(stage.directory);
  const port = await freePort();
  const server = ['s_server', '-quiet', '-accept', String(port), '-key', keyFile, '-cert', certFile];
  const there = await stage.serve(port, 'openssl', server, { within });
  await stage.serve(port, 'openssl', server);
  const inode = Number(/\d+/.exec(readlinkSync(`/proc/${there.pid}/ns/net`))?.[0]);
  t.is((await start(stage, pins, '--netns', String(inode))).exitCode, 0);
  await stage.run('openssl', ['s_client', '-connect', `127.0.0.1:${port}`], { within });
  await stage.run('openssl', ['s_client', '-connect', `127.0.0.1:${port}`]);

  const { handshakes, snapshot } = await dump(t, stage, pins);
  t.is(onPort(handshakes, port).length, 4);
  t.true(handshakes.every(({ flow }) => flow.netns === inode));
  t.true(
    snapshot.manifest.coverage.notes.some((note) =>
      note.startsWith('2 connections, or attempts at one, were left out'),
    ),
  );
  t.is((await tlsnap('record', 'stop', '--pins', pins)).exitCode, 0);
});
