import { readlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { execa } from 'execa';
import { reasonAgainstCommands, reasonAgainstLiveTests, testUnless } from '../left-out.js';
import { assertVerifies, onPort } from './judge.js';
import { type Captured, freePort, makeCertificate, openStage, type Stage, TLSNAP, until } from './live.js';
import { openNamespace } from './network.js';
import { compileActor, outputOf, startTlsServer, writeHello } from './programs.js';

// What the flags of the scope let through, and that the rest is counted. Which connections there were, and whose, is what
// the programs that made them print of themselves.

const reason = reasonAgainstLiveTests() ?? reasonAgainstCommands('cc', 'openssl', 'python3', 'ip');

testUnless(
  reason,
  '--pid follows a process and all its descendants, whoever adopts them, and nobody else',
  async (t) => {
    const stage = await openStage(t);
    const { port } = await startTlsServer(stage);
    const { file } = await writeHello(stage.directory);
    const outsider = await compileActor(stage.directory, 'hello-client');
    // The shell is named; Python is there already when the window opens, and what it starts is not.
    const script = `exec 3<&0; python3 ${actor('send_from_descendants.py')} ${port} ${file} <&3 & wait`;
    const shell = stage.start('sh', ['-c', script]);
    const output = outputOf(shell);
    await until('Python waits', 5000, () => output().startsWith('ready'));
    const work = async (): Promise<void> => {
      shell.process.stdin?.write('go\n');
      for (let time = 0; time < 3; time++)
        await stage.run(outsider, [String(port), file, '200']).catch(() => undefined);
      await until('all have sent', 10_000, () => output().split('\n').length > 5);
    };
    const captured = await stage.capture(work, { flags: ['--pid', String(shell.pid)] });

    const sent = output().trim().split('\n').slice(1).map(parseSent);
    t.deepEqual(
      sent.map(({ who }) => who),
      ['self', 'child', 'grandchild', 'adopted'],
    );
    t.deepEqual(
      captured.handshakes
        .map(({ flow, kind, role, process }) => [kind, role, process?.pid, portOfClient(flow, port)])
        .sort(),
      sent.flatMap(({ pid, port: own }) => ['client', 'server'].map((kind) => [kind, 'client', pid, own])).sort(),
    );
    // Both ends of three connections of the outsider, and the server's end of the four.
    assertCounts(t, captured, { connections: 3 + 7, hellos: 7 });
    const pids = new Set([shell.pid, ...sent.map(({ pid }) => pid)]);
    t.true(
      captured.processes.every(({ pid }) => pids.has(pid)),
      'a process that is not in scope was kept',
    );
    t.true(captured.sockets.every(({ owners }) => owners.some(({ pid }) => pids.has(pid))));
    await assertVerifies(t, captured.path);
  },
);

testUnless(
  reason,
  '--pid of a server keeps what its workers answer, and of another server only the number',
  async (t) => {
    const stage = await openStage(t);
    const { keyFile, certFile } = await makeCertificate(stage.directory);
    const ports = [await freePort(), await freePort()] as const;
    const args = (port: number): string[] => [actor('workers.py'), 'fork', String(port), keyFile, certFile];
    const ours = await stage.serve(ports[0], 'python3', args(ports[0]));
    await stage.serve(ports[1], 'python3', args(ports[1]));
    const output = outputOf(ours);
    const captured = await stage.capture(
      async () => {
        for (const port of [...ports, ...ports])
          await stage.run('openssl', ['s_client', '-connect', `127.0.0.1:${port}`]);
      },
      { flags: ['--pid', String(ours.pid)] },
    );
    const workers = output()
      .trim()
      .split('\n')
      .map((line) => line.split(' ').map(Number));
    t.deepEqual(
      captured.handshakes
        .map(({ kind, role, flow, process }) => [kind, role, portOfClient(flow, ports[0]), process?.pid])
        .sort(),
      workers.flatMap(([port, pid]) => ['client', 'server'].map((kind) => [kind, 'server', port, pid])).sort(),
    );
    // The clients' four ends, and the other server's two, of which the ClientHello came before the process showed itself.
    assertCounts(t, captured, { connections: 4 + 2, hellos: 2 });
  },
);

for (const [flags, ends, connections] of [
  [['--direction', 'outbound'], ['first client', 'second client'], 2],
  [['--direction', 'inbound'], ['first server', 'second server'], 2],
  [['--port', 'FIRST'], ['first client', 'first server'], 2],
  [['--port', 'SECOND', '--direction', 'inbound'], ['second server'], 3],
  [['--port', 'SECOND', '--port', 'FIRST'], ['first client', 'first server', 'second client', 'second server'], 0],
  [['--port', '1'], [], 4],
] as const) {
  testUnless(reason, `${flags.join(' ')} keeps ${ends.join(', ') || 'nothing'}, and counts the rest`, async (t) => {
    const stage = await openStage(t);
    const [first, second] = [await startTlsServer(stage), await startTlsServer(stage)];
    const captured = await stage.capture(
      async () => {
        for (const { port } of [first, second]) await connect(stage, port);
      },
      {
        flags: flags.map((flag) => flag.replace('FIRST', String(first.port)).replace('SECOND', String(second.port))),
      },
    );
    const named = captured.handshakes.map(({ flow, role }) => {
      const isFirst = [flow.srcPort, flow.dstPort].includes(first.port);
      return `${isFirst ? 'first' : 'second'} ${role}`;
    });
    t.deepEqual(
      named.sort(),
      ends.flatMap((end) => [end, end]),
    );
    assertCounts(t, captured, { connections, hellos: 0 });
  });
}

testUnless(reason, '--netns keeps what happens in that network namespace, and counts the rest', async (t) => {
  const stage = await openStage(t);
  const inside = await openNamespace(t);
  const { keyFile, certFile } = await makeCertificate(stage.directory);
  const port = await freePort();
  const server = ['s_server', '-quiet', '-accept', String(port), '-key', keyFile, '-cert', certFile];
  const within = { within: inside.within };
  const there = await stage.serve(port, 'openssl', server, within);
  await stage.serve(port, 'openssl', server);
  const inode = Number(/\d+/.exec(readlinkSync(`/proc/${there.pid}/ns/net`))?.[0]);
  const captured = await stage.capture(
    async () => {
      await stage.run('openssl', ['s_client', '-connect', `127.0.0.1:${port}`], within);
      await stage.run('openssl', ['s_client', '-connect', `127.0.0.1:${port}`]);
    },
    { flags: ['--netns', String(inode)] },
  );
  t.is(onPort(captured.handshakes, port).length, 4);
  t.true(captured.handshakes.every(({ flow }) => flow.netns === inode));
  assertCounts(t, captured, { connections: 2, hellos: 0 });
});

testUnless(
  reason,
  'what no connection can be of is refused by the name of the flag, before anything is attached',
  async (t) => {
    const stage = await openStage(t);
    const output = join(stage.directory, 'refused.tlsnap.tar.gz');
    const ports = Array.from({ length: 17 }, (_, index) => ['--port', String(index + 1)]).flat();
    for (const [flags, message] of [
      [['--pid', '4194304'], /--pid: no such process: 4194304/],
      [['--pid', '0'], /--pid[^]*equal to 1/],
      [['--netns', '4294967296'], /--netns[^]*4294967295/],
      [ports, /--port: 17 ports, and at most 16/],
      [['--port', '65536'], /65536/],
      [['--port', 'https'], /--port[^]*integer/],
      [['--direction', 'both'], /--direction[^]*outbound, inbound/],
      [['--cgroup', '/proc'], /--cgroup: \/proc is not a cgroup2 directory/],
    ] as const) {
      const cgroup = flags[0] === '--cgroup' ? [] : ['--cgroup', stage.cgroup];
      const args = [TLSNAP, 'capture', ...cgroup, '--window', '1s', '--output', output, ...flags];
      const { exitCode, stderr } = await execa(process.execPath, args, { reject: false });
      t.is(exitCode, 2, stderr);
      t.regex(stderr, message);
    }
  },
);

/** Connections that were left out, and hellos; and that the sums add up. */
function assertCounts(
  t: ExecutionContext,
  captured: Captured,
  expected: { connections: number; hellos: number },
): void {
  const { coverage } = captured.snapshot.manifest;
  const told = coverage.notes.map((note) => /^(\d+) connections, or attempts at one, were left out/.exec(note)?.[1]);
  t.is(Number(told.find((count) => count !== undefined) ?? 0), expected.connections, coverage.notes.join('\n'));
  t.deepEqual(coverage.reconciliation, {
    seen: captured.handshakes.length + expected.hellos,
    kept: captured.handshakes.length,
    filtered: expected.hellos,
    lost: 0,
  });
  t.deepEqual(coverage.lossesByKind, {});
  t.is(captured.exitCode, 0);
}

async function connect(stage: Stage, port: number): Promise<void> {
  await stage.run('openssl', ['s_client', '-connect', `127.0.0.1:${port}`]);
}

function parseSent(line: string): { who: string; pid: number; port: number } {
  return JSON.parse(line) as { who: string; pid: number; port: number };
}

function portOfClient({ srcPort, dstPort }: { srcPort: number; dstPort: number }, serverPort: number): number {
  return srcPort === serverPort ? dstPort : srcPort;
}

function actor(name: string): string {
  return join(import.meta.dirname, 'actors', name);
}
