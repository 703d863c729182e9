import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmdirSync, symlinkSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { reasonAgainstCommands, reasonAgainstLiveTests, testUnless } from '../left-out.js';
import { freePort, openStage, TLSNAP, until } from './live.js';
import { startTlsServer, writeHello } from './programs.js';
import { attached, dump, fails, pinsFor, start, tlsnap, untilNothing } from './recorder-commands.js';

// What somebody does to the pins of a flight recorder, or a start that is broken off: what the commands say, and that a
// stop removes what is left.

const reason = reasonAgainstLiveTests() ?? reasonAgainstCommands('bpftool', 'python3', 'openssl');

testUnless(reason, 'whichever pin is removed, nothing says that all is well, and stop removes the rest', async (t) => {
  const stage = await openStage(t);
  const pins = await pinsFor(t);
  await start(stage, pins);
  const names = readdirSync(pins).filter((name) => !name.startsWith('program_'));
  t.true(names.length > 8);
  await tlsnap('record', 'stop', '--pins', pins);
  for (const name of names) {
    t.is((await start(stage, pins)).exitCode, 0);
    unlinkSync(join(pins, name));
    if (name.startsWith('link_')) {
      const { exitCode, stdout } = await tlsnap('record', 'status', '--pins', pins, '--json');
      t.is(exitCode, 1, name);
      t.deepEqual((JSON.parse(stdout) as { detached: string[] }).detached, [name.slice('link_'.length)]);
    } else {
      await fails(t, 65, /holds only a part of a recorder/, 'dump', '--pins', pins);
    }
    t.is((await tlsnap('record', 'stop', '--pins', pins)).exitCode, 0, name);
    t.false(existsSync(pins));
  }
  await untilNothing(stage);
});

testUnless(reason, "a map of another shape at the place of the recorder's is refused, whatever it holds", async (t) => {
  const stage = await openStage(t);
  const pins = await pinsFor(t);
  const names = ['counters', 'fingerprints', 'slots', 'recorder', 'recorded_processes', 'recorded_exits'];
  for (const name of names) {
    t.is((await start(stage, pins)).exitCode, 0);
    const pin = join(pins, `map_${name}`);
    unlinkSync(pin);
    const shape = ['type', 'hash', 'key', '64', 'value', '16384', 'entries', '64', 'name', 'other'];
    await execa('bpftool', ['map', 'create', pin, ...shape]);
    await execa('bpftool', ['map', 'update', 'pinned', pin, 'key', ...bytes(64), 'value', ...bytes(16384)]);
    await fails(t, 65, new RegExp(`map_${name}.*for the recorder's`), 'dump', '--pins', pins);
    t.is((await tlsnap('record', 'stop', '--pins', pins)).exitCode, 0, name);
  }
  await untilNothing(stage);
});

testUnless(reason, 'a dump says that the cgroup was removed under the recorder, and ends with 1', async (t) => {
  const stage = await openStage(t);
  const pins = await pinsFor(t);
  const cgroup = stage.childCgroup('brief');
  t.is((await tlsnap('record', 'start', '--pins', pins, '--cgroup', cgroup)).exitCode, 0);
  t.is((await tlsnap('record', 'status', '--pins', pins)).exitCode, 0);
  rmdirSync(cgroup);
  // The kernel takes the links off a moment later.
  await until('the links are off', 10_000, async () => {
    const { stdout } = await tlsnap('record', 'status', '--pins', pins);
    return /^not recorded {2}what .*tlsnap_sockops/m.test(stdout);
  });
  const { exitCode, snapshot } = await dump(t, stage, pins);
  t.is(exitCode, 1);
  t.true(snapshot.manifest.coverage.limits.some((limit) => /tlsnap_sockops.* had been taken off/.test(limit)));
  t.is((await tlsnap('record', 'stop', '--pins', pins)).exitCode, 0);
});

testUnless(reason, 'a start that is killed at any moment leaves nothing that a stop does not remove', async (t) => {
  const stage = await openStage(t);
  const pins = await pinsFor(t);
  let left = 0;
  for (let wait = 0; wait < 6; wait++) {
    const child = execa(process.execPath, [TLSNAP, 'record', 'start', '--pins', pins, '--cgroup', stage.cgroup], {
      reject: false,
    });
    const deadline = performance.now() + 20_000;
    while (!existsSync(pins) && performance.now() < deadline) await sleep(1);
    await sleep(wait * 2);
    child.kill('SIGKILL');
    await child;
    if (!existsSync(pins)) continue;
    left++;
    await fails(t, 2, /a recorder runs already, or one was left half made/, 'start', '--pins', pins);
    t.is((await tlsnap('record', 'stop', '--pins', pins)).exitCode, 0);
    await untilNothing(stage);
  }
  t.true(left > 0, 'no start was killed in time');
});

testUnless(reason, 'what is no recorder at the place of the pins is told, and left alone', async (t) => {
  const stage = await openStage(t);
  const pins = await pinsFor(t);
  symlinkSync(join(stage.directory, 'nowhere'), pins);
  for (const command of ['start', 'status', 'dump', 'stop'])
    await fails(t, 65, /is not a folder, and so not a recorder/, command, '--pins', pins);
  unlinkSync(pins);

  await start(stage, pins);
  const other = join(pins, 'somebodys');
  mkdirSync(other);
  await fails(t, 74, /nothing is recorded any more, but the folder holds .*: somebodys/, 'stop', '--pins', pins);
  t.deepEqual(readdirSync(pins), ['somebodys']);
  await untilNothing(stage);

  const plain = join(mkdtempSync(join(stage.directory, 'plain-')), 'tlsnap');
  for (const command of ['start', 'dump', 'stop'])
    await fails(t, 69, /is not a BPF file system/, command, '--pins', plain);
});

testUnless(reason, 'two dumps at once while a flood overwrites have only rows that are right', async (t) => {
  const stage = await openStage(t);
  const { file } = await writeHello(stage.directory);
  const { port } = await startTlsServer(stage);
  const pins = await pinsFor(t);
  await start(stage, pins, '--memory', '1MiB', '--port', String(port));
  stage.start('python3', ['-c', FLOOD, String(port), file]);
  await until('the slots are full', 20_000, async () => {
    const { stdout } = await tlsnap('record', 'status', '--pins', pins, '--json');
    return (JSON.parse(stdout) as { hellos: { overwritten: number } }).hellos.overwritten > 0;
  });
  for (const { handshakes, snapshot, exitCode } of await Promise.all([dump(t, stage, pins), dump(t, stage, pins)])) {
    t.is(exitCode, 1);
    t.true(handshakes.length > 100);
    t.true(handshakes.every(({ error, hello, kind }) => error === null && (kind === 'server' || hello.complete)));
    const sum = snapshot.manifest.coverage.reconciliation;
    t.is(sum?.seen, (sum?.kept ?? 0) + (sum?.filtered ?? 0) + (sum?.lost ?? 0));
    t.true((snapshot.manifest.coverage.lossesByKind['recorder.hellos-overwritten'] ?? 0) > 0);
  }
  t.is((await attached(stage)).length, 3);
  t.is((await tlsnap('record', 'stop', '--pins', pins)).exitCode, 0);
});

testUnless(reason, 'two recorders in two folders know nothing of one another', async (t) => {
  const stage = await openStage(t);
  const { port } = await startTlsServer(stage);
  const pins = await pinsFor(t);
  const others = `${pins}-of-another-port`;
  await start(stage, pins);
  await start(stage, others, '--port', String(await freePort()));
  await stage.run('openssl', ['s_client', '-connect', `127.0.0.1:${port}`]);
  t.is((await dump(t, stage, pins)).handshakes.length, 4);
  t.is((await dump(t, stage, others)).handshakes.length, 0);
  await tlsnap('record', 'stop', '--pins', pins);
  t.is((await attached(stage)).length, 3);
  t.is((await tlsnap('record', 'stop', '--pins', others)).exitCode, 0);
  await untilNothing(stage);
});

/** Sends what is in a file on connection after connection, until it is ended. */
const FLOOD = `
import socket, sys
hello = open(sys.argv[2], "rb").read()
while True:
    with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as client:
        client.sendall(hello)
        client.recv(65536)
`;

function bytes(count: number): string[] {
  return Array.from({ length: count }, () => '65');
}
