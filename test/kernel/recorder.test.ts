import { chownSync, existsSync, mkdirSync, readFileSync, rmdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { reasonAgainstCommands, reasonAgainstLiveTests, testUnless } from '../left-out.js';
import { executableOf, onPort } from './judge.js';
import { type Captured, freePort, openStage, PROJECT, type Stage, TLSNAP } from './live.js';
import { outputOf, startTlsServer, writeHello } from './programs.js';
import { attached, dump, fails, pinsFor, start, tlsnap, untilNothing } from './recorder-commands.js';

// The flight recorder, as a user runs it. What the kernel has attached is what bpftool says.

const reason =
  reasonAgainstLiveTests() ?? reasonAgainstCommands('openssl', 'python3', 'bpftool', 'setpriv', 'systemd-analyze');
const UNIT = join(PROJECT, 'docs/tlsnap-recorder.service');

testUnless(reason, 'a recorder works without a process, and is dumped while it goes on', async (t) => {
  const stage = await openStage(t);
  const { port, server } = await startTlsServer(stage);
  const pins = await pinsFor(t);
  t.is((await start(stage, pins)).exitCode, 0);
  t.is(statSync(pins).mode & 0o7777, 0o700);
  t.is((await attached(stage)).length, 3);

  await connect(stage, port);
  const first = await dump(t, stage, pins);
  await connect(stage, port);
  const second = await dump(t, stage, pins);

  t.deepEqual([first.handshakes.length, second.handshakes.length], [4, 8]);
  t.deepEqual(second.handshakes.slice(0, 4).map(rawOf), first.handshakes.map(rawOf));
  t.true(onPort(second.handshakes, port).length === 8);
  const { manifest } = second.snapshot;
  t.is(manifest.source, 'recorder');
  t.is(manifest.window.endedBy, 'dump');
  t.deepEqual(manifest.coverage.reconciliation, { seen: 8, kept: 8, filtered: 0, lost: 0 });
  t.deepEqual(manifest.coverage.lossesByKind, {});
  t.is(second.exitCode, 0);

  const alive = second.processes.find(({ pid }) => pid === server.pid);
  t.true(alive?.sources.includes('proc'));
  t.is(alive?.exited, null);
  const gone = second.processes.filter(({ pid }) => pid !== server.pid);
  t.is(gone.length, 2);
  for (const { sources, exe, cmdline, exitCode } of gone) {
    t.deepEqual(sources, ['kernel']);
    t.is(exe, await executableOf('openssl'));
    t.deepEqual(cmdline?.slice(0, 2), ['openssl', 's_client']);
    t.is(exitCode, 0);
  }

  t.is((await tlsnap('record', 'stop', '--pins', pins)).exitCode, 0);
  t.false(existsSync(pins));
  await untilNothing(stage);
});

testUnless(reason, 'the newest hellos stay, and how many older ones were overwritten is counted', async (t) => {
  const stage = await openStage(t);
  const { file } = await writeHello(stage.directory);
  const port = await freePort();
  const pins = await pinsFor(t);
  await start(stage, pins, '--memory', '1MiB');
  const count = 500;
  const sender = stage.start('python3', ['-c', SEND, String(port), file, String(count)]);
  const output = outputOf(sender);
  await sender.process;
  const ports = output().trim().split('\n').map(Number);
  t.is(ports.length, count);

  const captured = await dump(t, stage, pins);
  const { coverage } = captured.snapshot.manifest;
  const lost = 2 * count - captured.handshakes.length;
  t.true(lost > 0 && captured.handshakes.length > 300, `${lost} lost`);
  t.deepEqual(coverage.reconciliation, { seen: 2 * count, kept: captured.handshakes.length, filtered: 0, lost });
  t.deepEqual(coverage.lossesByKind, { 'recorder.hellos-overwritten': lost });
  t.is(captured.exitCode, 1);
  // Each connection's ClientHello at both ends: the last of them, in their order.
  const kept = [...new Set(captured.handshakes.map(({ flow }) => flow.srcPort))];
  t.deepEqual(kept, ports.slice(-kept.length));
  t.true(captured.handshakes.every(({ hello }) => hello.complete));

  const { stdout } = await tlsnap('record', 'status', '--pins', pins, '--json');
  const status = JSON.parse(stdout) as Record<string, Record<string, number>>;
  t.deepEqual(status['hellos'], { seen: 2 * count, overwritten: lost });
  t.is(status['slots']?.['used'], status['slots']?.['size']);
  t.is(status['fingerprints']?.['used'], 1);
});

testUnless(
  reason,
  'a second start, no recorder, pins of something else and half a recorder are told apart',
  async (t) => {
    const stage = await openStage(t);
    const pins = await pinsFor(t);
    const on = ['--pins', pins];
    for (const command of ['dump', 'stop']) await fails(t, 69, /no recorder runs/, command, ...on);
    t.regex((await tlsnap('record', 'status', ...on)).stdout, /^no recorder runs at/);

    await start(stage, pins);
    await fails(t, 2, /a recorder runs already/, 'start', ...on);
    t.is((await tlsnap('record', 'stop', ...on)).exitCode, 0);

    mkdirSync(pins, { mode: 0o700 });
    await fails(t, 65, /holds only a part of a recorder/, 'dump', ...on);
    const value = ['key', '4', 'value', '64', 'entries', '1', 'name', 'other'];
    await execa('bpftool', ['map', 'create', join(pins, 'map_facts'), 'type', 'array', ...value]);
    for (const command of ['dump', 'status'])
      await fails(t, 65, /was pinned by another build, something else/, command, ...on);
    t.is((await tlsnap('record', 'stop', ...on)).exitCode, 0);
    t.false(existsSync(pins));
  },
);

testUnless(reason, 'what its flags leave out is counted, in the kernel, and not recorded', async (t) => {
  const stage = await openStage(t);
  const { port } = await startTlsServer(stage);
  const pins = await pinsFor(t);
  t.is((await start(stage, pins, '--direction', 'outbound', '--port', String(port))).exitCode, 0);
  await connect(stage, port);
  const { handshakes, snapshot } = await dump(t, stage, pins);
  // The client's end: the hello that it sent, and the one that it received.
  t.deepEqual(handshakes.map(({ kind, role }) => [kind, role]).sort(), [
    ['client', 'client'],
    ['server', 'client'],
  ]);
  t.true(
    snapshot.manifest.coverage.notes.some((note) =>
      note.startsWith('1 connections, or attempts at one, were left out'),
    ),
  );
  t.is((await tlsnap('record', 'stop', '--pins', pins)).exitCode, 0);
});

testUnless(reason, 'where no BPF file system is mounted, and of too little memory, a start says so', async (t) => {
  const stage = await openStage(t);
  await fails(t, 69, /is not a BPF file system/, 'start', '--pins', join(stage.directory, 'tlsnap'));
  await fails(t, 2, /--memory: 4096 bytes are less/, 'start', '--pins', await pinsFor(t), '--memory', '4KiB');
});

testUnless(
  reason,
  'another user can neither read nor change the pins, nor put a recorder there for root',
  async (t) => {
    const stage = await openStage(t);
    const pins = await pinsFor(t);
    await start(stage, pins);
    const nobody = ['--reuid', '65534', '--regid', '65534', '--clear-groups'];
    for (const command of [
      ['ls', pins],
      ['cat', join(pins, 'map_facts')],
      ['rm', join(pins, 'link_tlsnap_sockops')],
      ['rmdir', pins],
      ['mv', pins, `${pins}-moved`],
      ['bpftool', 'map', 'dump', 'pinned', join(pins, 'map_fingerprints')],
      ['touch', join(pins, 'link_more')],
    ]) {
      const { exitCode } = await execa('setpriv', [...nobody, ...command], { reject: false });
      t.not(exitCode, 0, command.join(' '));
    }
    for (const command of ['dump', 'status', 'stop', 'start']) {
      const args = [...nobody, process.execPath, TLSNAP, 'record', command, '--pins', pins];
      const { exitCode, stderr } = await execa('setpriv', args, { reject: false, cwd: '/' });
      t.is(exitCode, 77, stderr);
    }
    t.is((await attached(stage)).length, 3);
    await tlsnap('record', 'stop', '--pins', pins);

    mkdirSync(pins, { mode: 0o700 });
    chownSync(pins, 65534, 65534);
    for (const command of ['dump', 'status', 'stop', 'start'])
      await fails(t, 77, /belongs to user 65534/, command, '--pins', pins);
    rmdirSync(pins);
  },
);

testUnless(reason, 'the systemd unit is well-formed, and its capabilities are enough', async (t) => {
  const stage = await openStage(t);
  const unit = readFileSync(UNIT, 'utf8');
  const copy = join(stage.directory, 'tlsnap-recorder.service');
  // systemd-analyze asks for programs that exist.
  await execa('tee', [copy], { input: unit.replaceAll('/usr/bin/tlsnap', process.execPath) });
  const { stdout, stderr, exitCode } = await execa('systemd-analyze', ['verify', copy], { reject: false });
  t.is(exitCode, 0, stderr);
  t.is(`${stdout}${stderr}`.trim(), '');

  const capabilities = /^CapabilityBoundingSet=(.*)$/m.exec(unit)?.[1]?.split(' ') ?? [];
  const bounding = ['-all', ...capabilities.map((name) => name.replace(/^CAP_/, '+').toLowerCase())].join(',');
  const limited = ['--bounding-set', bounding, '--inh-caps=-all', '--no-new-privs'];
  const pins = await pinsFor(t);
  for (const command of [['start', '--cgroup', stage.cgroup], ['status'], ['stop']]) {
    const args = [...limited, process.execPath, TLSNAP, 'record', ...command, '--pins', pins];
    const result = await execa('setpriv', args, { reject: false });
    t.is(result.exitCode, 0, result.stderr);
  }
  await untilNothing(stage);
});

/** Connects to itself, and sends what is in a file: python3 -c SEND PORT FILE COUNT. Prints its own ports. */
const SEND = `
import socket, sys
port, hello, count = int(sys.argv[1]), open(sys.argv[2], "rb").read(), int(sys.argv[3])
listener = socket.create_server(("127.0.0.1", port))
for _ in range(count):
    client = socket.create_connection(("127.0.0.1", port))
    server, address = listener.accept()
    client.sendall(hello)
    server.recv(len(hello), socket.MSG_WAITALL)
    server.sendall(b"no")
    print(address[1])
    client.close()
    server.close()
`;

async function connect(stage: Stage, port: number): Promise<void> {
  await stage.run('openssl', ['s_client', '-connect', `127.0.0.1:${port}`]);
}

function rawOf({ hello, flow }: Captured['handshakes'][number]): string {
  return `${flow.cookie} ${hello.raw}`;
}
