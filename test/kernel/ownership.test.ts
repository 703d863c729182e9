import { basename, join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { reasonAgainstCommands, reasonAgainstLiveTests, testUnless } from '../left-out.js';
import { assertVerifies, only, onPort, pythonExecutable } from './judge.js';
import { freePort, makeCertificate, openStage, until } from './live.js';
import { compileActor, outputOf, startTlsServer, writeHello } from './programs.js';

// Connections that more than one process has a hand in. The pids are those that the processes print of themselves.

const reason = reasonAgainstLiveTests() ?? reasonAgainstCommands('cc', 'openssl', 'python3');
const CONNECTIONS = 6;

for (const [kind, what] of [
  ['fork', 'a server that forks for each connection'],
  ['prefork', 'a server with workers forked beforehand'],
] as const) {
  testUnless(reason, `${what} is named by the worker that shook hands, in both hellos of its end`, async (t) => {
    const stage = await openStage(t);
    const { keyFile, certFile } = await makeCertificate(stage.directory);
    const python = await pythonExecutable();
    const port = await freePort();
    const server = await stage.serve(port, python, [actor('workers.py'), kind, String(port), keyFile, certFile]);
    const output = outputOf(server);
    const captured = await stage.capture(async () => {
      for (let connection = 0; connection < CONNECTIONS; connection++) {
        await stage.run('openssl', ['s_client', '-connect', `127.0.0.1:${port}`]);
      }
      await until('all workers have said their pids', 5000, () => output().split('\n').length > CONNECTIONS);
    });
    const workers = output()
      .trim()
      .split('\n')
      .map((line) => line.split(' ').map(Number) as [clientPort: number, pid: number]);
    t.is(workers.length, CONNECTIONS);
    t.false(workers.some(([, pid]) => pid === server.pid));
    for (const [clientPort, pid] of workers) {
      const events = onPort(captured.handshakes, clientPort).filter(({ role }) => role === 'server');
      t.deepEqual(
        events.map(({ kind: side }) => side),
        ['client', 'server'],
      );
      for (const { process: owner } of events) {
        t.is(owner?.pid, pid);
        t.is(owner?.ppid, server.pid);
        t.is(owner?.comm, basename(python));
        t.is(owner?.exe, python);
        t.is(owner?.attribution, 'accept');
      }
      const row = only(
        t,
        captured.processes.filter((process) => process.pid === pid),
        `row of worker ${pid}`,
      );
      t.is(row.parents?.[0]?.pid, server.pid);
    }
    await assertVerifies(t, captured.path);
  });
}

testUnless(reason, 'a server that answers by an alert only is named, and in scope', async (t) => {
  const stage = await openStage(t);
  const { keyFile, certFile } = await makeCertificate(stage.directory);
  const port = await freePort();
  const args = ['s_server', '-accept', `127.0.0.1:${port}`, '-key', keyFile, '-cert', certFile, '-tls1_2'];
  const server = await stage.serve(port, 'openssl', args);
  for (const flags of [[], ['--pid', String(server.pid)]]) {
    const captured = await stage.capture(
      async () => {
        const refused = await stage
          .run('openssl', ['s_client', '-connect', `127.0.0.1:${port}`, '-tls1_3'])
          .catch((error: unknown) => error as { stderr: string });
        t.regex(String(refused.stderr), /alert protocol version/);
      },
      { flags },
    );
    const event = only(
      t,
      captured.handshakes.filter(({ role }) => role === 'server'),
      'at the server',
    );
    t.deepEqual([event.kind, event.process?.pid, event.process?.comm], ['client', server.pid, 'openssl']);
  }
});

testUnless(reason, 'a socket passed over SCM_RIGHTS shows who connected and who sent', async (t) => {
  const { events, output, captured } = await runPython(t, 'pass_socket.py', []);
  const [connector, receiver] = output;
  const hello = only(
    t,
    events.filter(({ kind }) => kind === 'client'),
    'ClientHello',
  );
  t.is(hello.tls?.serverName, 'passed.example');
  t.is(hello.process?.pid, connector);
  t.is(hello.process?.attribution, 'connect');
  t.is(hello.process?.sender?.pid, receiver);
  t.is(hello.process?.sender?.tid, receiver);
  for (const pid of [connector, receiver]) {
    only(
      t,
      captured.processes.filter((process) => process.pid === pid),
      `row of ${pid}`,
    );
  }
  t.is(captured.processes.find(({ pid }) => pid === receiver)?.ppid, connector);
});

testUnless(reason, "a thread's own name is kept beside the process's", async (t) => {
  const { events, output } = await runPython(t, 'named_thread.py', ['tls-worker']);
  const [pid, tid] = output;
  t.not(pid, tid);
  t.deepEqual(
    events.map(({ kind }) => kind),
    ['client', 'server'],
  );
  for (const { process: owner, tls, kind } of events) {
    if (kind === 'client') t.is(tls?.serverName, 'thread.example');
    t.is(owner?.pid, pid);
    t.is(owner?.tid, tid);
    t.is(owner?.comm, basename(await pythonExecutable()));
    t.is(owner?.threadComm, 'tls-worker');
  }
});

for (const [how, reads] of [
  ['read the hello', true],
  ['left it unread', false],
] as const) {
  testUnless(
    reason,
    `a process that closes a connection without a word, having ${how}, is the one that had it`,
    async (t) => {
      const stage = await openStage(t);
      const python = await pythonExecutable();
      const port = await freePort();
      const server = await stage.serve(port, python, [
        actor('silent_workers.py'),
        String(port),
        reads ? 'read' : 'leave',
      ]);
      const output = outputOf(server);
      const { file } = await writeHello(stage.directory);
      const client = await compileActor(stage.directory, 'hello-client');
      const captured = await stage.capture(async () => {
        for (let connection = 1; connection <= 3; connection++) {
          await stage.run(client, [String(port), file, '100']).catch(() => undefined);
          await until('the worker has said its pid', 5000, () => output().split('\n').length > connection);
        }
      });
      const workers = output().trim().split('\n').map(Number);
      t.is(new Set([server.pid, ...workers]).size, 4);
      const events = onPort(captured.handshakes, port).filter(({ role }) => role === 'server');
      t.deepEqual(
        events.map(({ kind, process: owner }) => [kind, owner?.pid, owner?.ppid, owner?.attribution]),
        workers.map((pid) => ['client', pid, server.pid, 'accept']),
      );
      t.is(captured.snapshot.manifest.coverage.hellosWithoutProcess, 0);
    },
  );
}

/** Runs a client that prints two numbers, and gives its end's events on its connections. */
async function runPython(t: ExecutionContext, script: string, args: readonly string[]) {
  const stage = await openStage(t);
  const { port } = await startTlsServer(stage);
  let output: number[] = [];
  const captured = await stage.capture(async () => {
    const { stdout } = await stage.run(await pythonExecutable(), [actor(script), String(port), ...args]);
    output = String(stdout).split(' ').map(Number);
  });
  const events = onPort(captured.handshakes, port).filter(({ role }) => role === 'client');
  await assertVerifies(t, captured.path);
  return { events, output, captured };
}

function actor(name: string): string {
  return join(import.meta.dirname, 'actors', name);
}
