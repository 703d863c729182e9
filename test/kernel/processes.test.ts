import { copyFile, mkdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { reasonAgainstCommands, reasonAgainstLiveTests, testUnless } from '../left-out.js';
import type { Handshake } from '../../src/snapshot/schema/handshake.js';
import type { Process } from '../../src/snapshot/schema/process.js';
import { assertVerifies, executableOf, only, onPort, pythonExecutable } from './judge.js';
import { type Captured, openStage } from './live.js';
import { compileActor, sha256Of, startTlsServer, writeHello } from './programs.js';

// Processes that make themselves scarce: short lives, reused pids, other programs under the same pid, executables
// without a name. What is expected comes from the test, which started them, and from sha256sum.

const reason = reasonAgainstLiveTests() ?? reasonAgainstCommands('cc', 'openssl', 'python3', 'sha256sum');

testUnless(reason, 'a process that lives for milliseconds still has all that tells who it was', async (t) => {
  const { stage, port, client, hello } = await prepare(t);
  const pids: (number | undefined)[] = [];
  const captured = await stage.capture(async () => {
    for (let run = 0; run < 10; run++) {
      const running = stage.run(client, [String(port), hello.file]);
      pids.push(running.pid);
      await running.catch(() => undefined);
    }
  });
  for (const pid of pids) {
    const event = only(t, sentBy(captured, pid, port), `hello of ${pid}`);
    t.deepEqual(Buffer.from(event.hello.raw, 'base64'), hello.message);
    t.is(event.process?.comm, 'hello-client');
    t.is(event.process?.exe, client);
    t.is(event.process?.ppid, process.pid);
    const row = only(t, rowsOf(captured, pid), `row of ${pid}`);
    t.true(row.sources.includes('kernel'));
    t.is(row.comm, 'hello-client');
    t.is(row.exe, client);
    t.is(row.ppid, process.pid);
    t.deepEqual(row.cmdline, [client, String(port), hello.file]);
    t.is(row.uid, 0);
    t.is(row.parents?.[0]?.pid, process.pid);
    t.is(row.exeSha256, await sha256Of(client));
    // WEXITSTATUS: the program ends with 7.
    t.is((row.exitCode ?? 0) >> 8, 7);
    t.true(lifeMs(row) >= 0, `ended ${-lifeMs(row)} ms before it connected`);
  }
  t.true(
    captured.processes.some(({ sources }) => !sources.includes('proc')),
    'none was gone before /proc could be read',
  );
  await assertVerifies(t, captured.path);
});

testUnless(reason, 'a pid that is reused within the window is two processes', async (t) => {
  const { stage, port, client, hello } = await prepare(t);
  const starter = await compileActor(stage.directory, 'run-with-pid');
  const second = join(stage.directory, 'second-user');
  await copyFile(client, second);
  const digest = await sha256Of(client);
  const pids: number[] = [];
  const captured = await stage.capture(async () => {
    // The second often starts within the clock tick of the first one's start, and then has the same start in /proc.
    for (let round = 0; round < 20; round++) {
      const { stdout } = await stage.run(starter, [client, second, String(port), hello.file]);
      pids.push(Number(stdout));
    }
  });
  for (const pid of pids) {
    const events = sentBy(captured, pid, port);
    t.deepEqual(
      events.map(({ process: owner }) => [owner?.comm, owner?.exe]),
      [
        ['hello-client', client],
        ['second-user', second],
      ],
    );
    const rows = rowsOf(captured, pid);
    t.deepEqual(
      rows.map(({ comm, exe, startTimeNs }) => [comm, exe, startTimeNs]),
      events.map(({ process: owner }) => [owner?.comm, owner?.exe, owner?.startTimeNs]),
    );
    t.is(new Set(rows.map(({ startTimeNs }) => startTimeNs)).size, 2);
    t.deepEqual(
      rows.map(({ exeSha256 }) => exeSha256),
      [digest, digest],
    );
  }
});

testUnless(
  reason,
  'a hello names the program that sent it, also where another one connected before an exec',
  async (t) => {
    const { stage, port, client, hello } = await prepare(t);
    const python = await pythonExecutable();
    const connectThenExec = [
      'import os, socket, sys',
      `connection = socket.create_connection(('127.0.0.1', ${port}))`,
      'connection.set_inheritable(True)',
      "os.execv(sys.argv[1], [sys.argv[1], 'fd:%d' % connection.fileno(), sys.argv[2], '400'])",
    ].join('\n');
    const sendThenExec = [
      'import os, socket, sys',
      `connection = socket.create_connection(('127.0.0.1', ${port}))`,
      "connection.send(open(sys.argv[2], 'rb').read())",
      'os.execv(sys.argv[3], sys.argv[3:])',
    ].join('\n');
    const [sleep, quick] = await Promise.all([executableOf('sleep'), executableOf('tac')]);
    let before: number | undefined;
    const after: (number | undefined)[] = [];
    const captured = await stage.capture(async () => {
      const first = stage.run(python, ['-c', connectThenExec, client, hello.file]);
      before = first.pid;
      await first.catch(() => undefined);
      for (const program of [[sleep, '0.4'], [quick]]) {
        const second = stage.run(python, ['-c', sendThenExec, client, hello.file, ...program]);
        after.push(second.pid);
        await second;
      }
    });
    const byClient = only(t, sentBy(captured, before, port), 'connect, exec, send').process;
    t.deepEqual([byClient?.comm, byClient?.exe], ['hello-client', client]);
    for (const pid of after) {
      const byPython = only(t, sentBy(captured, pid, port), 'connect, send, exec').process;
      t.deepEqual([byPython?.comm, byPython?.exe], [basename(python), python]);
    }
    // The row is of the process as it was last.
    const [clientRow] = rowsOf(captured, before);
    t.deepEqual([clientRow?.comm, clientRow?.exe], ['hello-client', client]);
    t.is(clientRow?.exeSha256, await sha256Of(client));
    const [sleepRow] = rowsOf(captured, after[0]);
    t.deepEqual([sleepRow?.comm, sleepRow?.exe, sleepRow?.cmdline], ['sleep', sleep, [sleep, '0.4']]);
    const [quickRow] = rowsOf(captured, after[1]);
    t.deepEqual([quickRow?.comm, quickRow?.exe, quickRow?.cmdline], ['tac', quick, [quick]]);
    t.is(quickRow?.exeSha256, await sha256Of(quick));
  },
);

testUnless(reason, 'a deleted executable and one in memory are named and hashed', async (t) => {
  const { stage, port, client, hello } = await prepare(t);
  const sha256 = await sha256Of(client);
  const python = await pythonExecutable();
  const deleteAndRun = [
    'import os, sys',
    'program, *arguments = sys.argv[1:]',
    'fd = os.open(program, os.O_RDONLY)',
    'os.unlink(program)',
    "os.execv('/proc/self/fd/%d' % fd, ['deleted', *arguments])",
  ].join('\n');
  const runFromMemory = [
    'import os, sys',
    'program, *arguments = sys.argv[1:]',
    "fd = os.memfd_create('kworker-like')",
    "os.write(fd, open(program, 'rb').read())",
    "os.execv('/proc/self/fd/%d' % fd, ['in-memory', *arguments])",
  ].join('\n');
  const doomed = join(stage.directory, 'doomed');
  await copyFile(client, doomed);
  const pids: (number | undefined)[] = [];
  const captured = await stage.capture(async () => {
    for (const linger of [['1500'], []]) {
      for (const [script, program] of [
        [deleteAndRun, doomed],
        [runFromMemory, client],
      ] as const) {
        await copyFile(client, doomed);
        const running = stage.run(python, ['-c', script, program, String(port), hello.file, ...linger]);
        pids.push(running.pid);
        await running.catch(() => undefined);
      }
    }
  });
  const [deleted, inMemory, deletedQuickly, inMemoryQuickly] = pids;
  for (const pid of [deleted, deletedQuickly]) {
    t.is(only(t, sentBy(captured, pid, port), 'deleted').process?.exe, doomed);
    const [row] = rowsOf(captured, pid);
    t.deepEqual([row?.exe, row?.exeDeleted, row?.exeMemfd], [doomed, true, false]);
  }
  for (const pid of [inMemory, inMemoryQuickly]) {
    t.is(only(t, sentBy(captured, pid, port), 'memfd').process?.exe, '/memfd:kworker-like');
    const [row] = rowsOf(captured, pid);
    t.deepEqual([row?.exe, row?.exeDeleted, row?.exeMemfd], ['/memfd:kworker-like', true, true]);
  }
  for (const pid of [deleted, inMemory]) {
    const [row] = rowsOf(captured, pid);
    t.is(row?.exeSha256, sha256);
    t.is(row?.exeHashedFrom, 'process');
  }
});

testUnless(reason, "a name of a path is kept up to NAME_MAX's 255 bytes", async (t) => {
  const { stage, port, client, hello } = await prepare(t);
  const programs = ['x'.repeat(254), 'y'.repeat(255), `${'d'.repeat(254)}/client`, `${'e'.repeat(255)}/client`].map(
    (path) => join(stage.directory, path),
  );
  const pids: (number | undefined)[] = [];
  const captured = await stage.capture(async () => {
    for (const program of programs) {
      await mkdir(dirname(program), { recursive: true });
      await copyFile(client, program);
      const running = stage.run(program, [String(port), hello.file]);
      pids.push(running.pid);
      await running.catch(() => undefined);
    }
  });
  const exes = pids.map((pid) => only(t, sentBy(captured, pid, port), 'a long name').process?.exe);
  t.deepEqual(exes, programs);
});

testUnless(reason, 'an executable that is replaced is hashed as it runs, never by what has its name now', async (t) => {
  const { stage, port, client, hello } = await prepare(t);
  const sha256 = await sha256Of(client);
  const python = await pythonExecutable();
  const replaceAndRun = [
    'import os, sys',
    'program, other, *arguments = sys.argv[1:]',
    'fd = os.open(program, os.O_RDONLY)',
    'os.rename(other, program)',
    "os.execv('/proc/self/fd/%d' % fd, [program, *arguments])",
  ].join('\n');
  const program = join(stage.directory, 'updated');
  const other = await executableOf('tac');
  const pids: (number | undefined)[] = [];
  const captured = await stage.capture(async () => {
    for (const linger of [['1500'], []]) {
      await copyFile(client, program);
      await copyFile(other, `${program}.new`);
      const args = ['-c', replaceAndRun, program, `${program}.new`, String(port), hello.file, ...linger];
      const running = stage.run(python, args);
      pids.push(running.pid);
      await running.catch(() => undefined);
    }
  });
  t.is(await sha256Of(program), await sha256Of(other), 'it was not replaced');
  const [slow, quick] = pids;
  for (const pid of pids) {
    t.is(only(t, sentBy(captured, pid, port), 'replaced').process?.exe, program);
    t.like(only(t, rowsOf(captured, pid), 'row'), { exe: program, exeDeleted: true });
  }
  t.like(rowsOf(captured, slow)[0], { exeSha256: sha256, exeHashedFrom: 'process' });
  // Of the one that was gone only its own file would do, and that has no name any more.
  const [gone] = rowsOf(captured, quick);
  t.true(gone?.exeSha256 === null || gone?.exeSha256 === sha256, gone?.exeSha256 ?? '');
});

testUnless(
  reason,
  'an executable that is written over when its process is gone is not taken for what ran',
  async (t) => {
    const { stage, port, client, hello } = await prepare(t);
    const sha256 = await sha256Of(client);
    const other = await executableOf('tac');
    const program = join(stage.directory, 'overwritten');
    const pids: number[] = [];
    const captured = await stage.capture(async () => {
      for (let round = 0; round < 10; round++) {
        await copyFile(client, program);
        const script = '"$1" "$2" "$3" & echo $!; wait $!; cat "$4" > "$1"';
        const { stdout } = await stage.run('sh', ['-c', script, 'sh', program, String(port), hello.file, other]);
        pids.push(Number(stdout));
      }
    });
    t.is(await sha256Of(program), await sha256Of(other), 'it was not written over');
    const rows = pids.map((pid) => only(t, rowsOf(captured, pid), 'row'));
    for (const { exe, exeSha256, errors } of rows) {
      t.is(exe, program);
      if (exeSha256 !== sha256) t.deepEqual([exeSha256, errors.map(({ code }) => code)], [null, ['CHANGED']]);
    }
    t.true(
      rows.some(({ exeSha256 }) => exeSha256 === null),
      'each was hashed in time',
    );
  },
);

testUnless(reason, 'a path too deep for the kernel is never taken for the path that it ends with', async (t) => {
  const { stage, port, client, hello } = await prepare(t);
  const folder = join(stage.directory, ...Array.from({ length: 30 }, () => 'd'), 'usr/bin');
  const deep = join(folder, 'curl');
  await mkdir(folder, { recursive: true });
  await copyFile(client, deep);
  const pids: (number | undefined)[] = [];
  const captured = await stage.capture(async () => {
    for (const linger of ['0', '1500']) {
      const running = stage.run(deep, [String(port), hello.file, linger]);
      pids.push(running.pid);
      await running.catch(() => undefined);
    }
  });
  const [quick, slow] = pids;
  for (const [pid, isWhole] of [
    [quick, false],
    [slow, true],
  ] as const) {
    const [row] = rowsOf(captured, pid);
    for (const exe of [only(t, sentBy(captured, pid, port), 'deep').process?.exe, row?.exe]) {
      t.true(exe === deep || (!isWhole && exe?.startsWith('.../d/') && exe.endsWith('/d/usr/bin/curl')), exe ?? 'null');
    }
    t.true(row?.exe === deep || row?.errors.some(({ field, code }) => field === 'exe' && code === 'TRUNCATED'));
  }
});

const HOSTILE_NAMES = {
  newline: Buffer.from('a\n{"seq":0}'),
  escape: Buffer.from('\x1b]0;owned\x07'),
  'invalid UTF-8': Buffer.from('x\xff\xfe\x80y', 'latin1'),
  'cut character': Buffer.concat([Buffer.alloc(14, 'n'), Buffer.from('é and more')]),
};

for (const [what, name] of Object.entries(HOSTILE_NAMES)) {
  testUnless(reason, `names and arguments with ${what} are kept byte by byte and do no harm`, async (t) => {
    const { stage, port, client, hello } = await prepare(t);
    const python = await pythonExecutable();
    const path = Buffer.concat([Buffer.from(`${stage.directory}/`), name]);
    await copyFile(client, path);
    const argument = Buffer.concat([Buffer.from('0x'), name]);
    const run = [
      'import os, sys',
      'path, argument = (bytes.fromhex(text) for text in sys.argv[1:3])',
      'os.execv(path, [path, *(text.encode() for text in sys.argv[3:]), argument])',
    ].join('\n');
    const pids: (number | undefined)[] = [];
    const captured = await stage.capture(async () => {
      for (const linger of ['0', '1200']) {
        const args = ['-c', run, path.toString('hex'), argument.toString('hex'), String(port), hello.file, linger];
        const running = stage.run(python, args);
        pids.push(running.pid);
        await running.catch(() => undefined);
      }
    });
    const comm = name.subarray(0, 15);
    for (const [index, pid] of pids.entries()) {
      const { process: owner } = only(t, sentBy(captured, pid, port), what);
      t.deepEqual(bytesOf(owner?.comm, owner?.commRaw), comm);
      t.deepEqual(bytesOf(owner?.exe, owner?.exeRaw), path);
      const [row] = rowsOf(captured, pid);
      t.deepEqual(bytesOf(row?.comm, row?.commRaw), comm);
      t.deepEqual(bytesOf(row?.exe, row?.exeRaw), path);
      const cmdline = row?.cmdlineRaw ?? Buffer.from(`${row?.cmdline?.join('\0')}\0`).toString('base64');
      const expected = [path, String(port), hello.file, index === 0 ? '0' : '1200', argument];
      t.deepEqual(
        Buffer.from(cmdline, 'base64'),
        Buffer.concat(expected.flatMap((word) => [Buffer.from(word as string), Buffer.from('\0')])),
      );
    }
    t.notRegex(captured.stderr, /[^\x20-\x7e\n]/);
    await assertVerifies(t, captured.path);
  });
}

async function prepare(t: ExecutionContext) {
  const stage = await openStage(t);
  const [{ port }, client, hello] = await Promise.all([
    startTlsServer(stage),
    compileActor(stage.directory, 'hello-client'),
    writeHello(stage.directory),
  ]);
  return { stage, port, client, hello };
}

/** ClientHellos at the end that sent them. */
function sentBy({ handshakes }: Captured, pid: number | undefined, port: number): Handshake[] {
  return onPort(handshakes, port).filter(
    ({ kind, role, process: owner }) => kind === 'client' && role === 'client' && owner?.pid === pid,
  );
}

function rowsOf({ processes }: Captured, pid: number | undefined): Process[] {
  return processes.filter((row) => row.pid === pid);
}

function lifeMs({ firstSeen, exited }: Process): number {
  return Date.parse(exited ?? '') - Date.parse(firstSeen ?? '');
}

function bytesOf(text: string | null | undefined, raw: string | undefined): Buffer {
  return raw === undefined ? Buffer.from(text ?? '') : Buffer.from(raw, 'base64');
}
