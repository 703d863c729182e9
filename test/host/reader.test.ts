import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  readFileSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
  chmodSync,
  appendFileSync,
} from 'node:fs';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { Compile } from 'typebox/compile';
import { HOST_ROOTS, summaryOf } from '../../src/host/host-facts.js';
import { HostReader, type ReaderOptions } from '../../src/host/reader.js';
import { Host } from '../../src/snapshot/schema/host.js';
import { Process } from '../../src/snapshot/schema/process.js';
import type { Socket } from '../../src/snapshot/schema/socket.js';
import { testUnless } from '../left-out.js';
import { becomes, reasonAgainstProc, start, temporaryFolder } from '../procfs/live-process.js';

function reader(t: ExecutionContext, options: ReaderOptions = {}): HostReader {
  const made = new HostReader(options);
  t.teardown(() => made.close());
  return made;
}

const PROCESS = Compile(Process);
const sha256sum = (path: string): string => execFileSync('sha256sum', [path], { encoding: 'utf8' }).slice(0, 64);

testUnless(reasonAgainstProc, 'an executable is hashed as sha256sum does, deleted or not', async (t) => {
  const path = join(temporaryFolder(t), 'copy');
  copyFileSync('/bin/sleep', path);
  appendFileSync(path, 'of its own');
  const expected = sha256sum(path);
  const { pid } = start(t, path, ['60']);
  await becomes(pid, 'copy');
  const proc = reader(t);
  t.like(await proc.read(pid), {
    exe: path,
    exeSha256: expected,
    exeHashedFrom: 'process',
    exeDeleted: false,
    errors: [],
  });
  unlinkSync(path);
  const row = await proc.read(pid);
  t.like(row, { exe: path, exeSha256: expected, exeHashedFrom: 'process', exeDeleted: true, errors: [] });
  t.deepEqual([...PROCESS.Errors(row)], []);
});

testUnless(reasonAgainstProc, 'an executable beyond the bound is not read, and its size is still known', async (t) => {
  const { pid } = start(t, 'sleep', ['60']);
  await becomes(pid, 'sleep');
  const row = await reader(t, { hash: { maxBytes: 1000 } }).read(pid);
  t.deepEqual(row.errors, [{ field: 'exeSha256', code: 'TOO_LARGE' }]);
  t.regex(row.exeSize ?? '', /^\d{4,}$/);
});

testUnless(reasonAgainstProc, 'a large executable holds up no other process', async (t) => {
  const path = join(temporaryFolder(t), 'large');
  copyFileSync('/bin/sleep', path);
  truncateSync(path, 250_000_000);
  const large = start(t, path, ['60']).pid;
  const small = start(t, 'sleep', ['60']).pid;
  await Promise.all([becomes(large, 'large'), becomes(small, 'sleep')]);
  const proc = reader(t);
  await Promise.all([proc.read(small), proc.read(process.pid)]);
  let hashed = false;
  const hashing = proc.read(large).then((row) => {
    hashed = true;
    return row;
  });
  const row = await proc.read(small, { hash: false });
  t.false(hashed);
  t.is(row.comm, 'sleep');
  t.is((await hashing).exeSha256, sha256sum(path));
});

testUnless(reasonAgainstProc, 'many processes of one executable cost one reading of it', async (t) => {
  const path = join(temporaryFolder(t), 'shared');
  copyFileSync('/bin/sleep', path);
  truncateSync(path, 150_000_000);
  const pids = Array.from({ length: 20 }, () => start(t, path, ['60']).pid);
  await Promise.all(pids.map((pid) => becomes(pid, 'shared')));
  const others = lanes();
  const proc = reader(t);
  const rows = await Promise.all(pids.map((pid) => proc.read(pid)));
  t.deepEqual([...new Set(rows.map((row) => row.exeSha256))], [sha256sum(path)]);
  // proc_pid_io(5); Node itself reads some megabytes when it starts.
  const own = lanes().filter((pid) => !others.includes(pid));
  const most = Math.max(
    ...own.map((pid) => Number(/^rchar: (\d+)$/m.exec(readFileSync(`/proc/${pid}/io`, 'latin1'))?.[1])),
  );
  t.true(most >= 150_000_000 && most < 300_000_000, `${most} bytes were read`);
});

testUnless(
  reasonAgainstProc,
  'a process that is gone is a row of what is known, and so is a pid that was reused',
  async (t) => {
    const sleep = start(t, 'sleep', ['60']);
    await sleep.kill();
    const proc = reader(t);
    t.deepEqual((await proc.read(sleep.pid)).errors, [{ field: 'process', code: 'ENOENT' }]);
    t.deepEqual((await proc.read(process.pid, { startTimeNs: '1' })).errors, [{ field: 'process', code: 'REUSED' }]);
    t.is(proc.identify(process.pid).comm, 'node');
  },
);

testUnless(reasonAgainstProc, 'processes that end while they are read never make it fail', async (t) => {
  const proc = reader(t);
  const script = join(temporaryFolder(t), 'brief');
  writeFileSync(script, '#!/bin/sh\nexit 0\n');
  chmodSync(script, 0o700);
  const rows = [];
  for (let index = 0; index < 60; index++) {
    const { pid } = start(t, script, []);
    rows.push(proc.read(pid));
  }
  for (const row of await Promise.all(rows)) t.deepEqual([...PROCESS.Errors(row)], []);
});

testUnless(reasonAgainstProc, 'a process that forks 10,000 times hangs nothing', async (t) => {
  const storm = start(t, 'sh', ['-c', 'i=0; while [ $i -lt 10000 ]; do (:); i=$((i+1)); done; echo done; read x']);
  const proc = reader(t);
  const ended = storm.line(90_000);
  let rounds = 0;
  const over = new AbortController();
  void ended.finally(() => over.abort()).catch(() => undefined);
  while (!over.signal.aborted) {
    rounds++;
    const children = readFileSync(`/proc/${storm.pid}/task/${storm.pid}/children`, 'utf8').trim().split(' ');
    const rows = await Promise.all([storm.pid, ...children.map(Number)].map((pid) => proc.read(pid, { hash: false })));
    for (const row of rows) t.deepEqual([...PROCESS.Errors(row)], []);
    await proc.sockets('start', () => undefined);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  t.is(await ended, 'done');
  t.true(rounds > 1);
  t.is(proc.hung, 0);
});

testUnless(reasonAgainstProc, 'host facts fit the schema, and say what uname, findmnt and the files say', async (t) => {
  const proc = reader(t);
  const host = await proc.host({ roots: HOST_ROOTS, self: { pid: process.pid, environment: ['LD_PRELOAD=/x'] } });
  t.deepEqual([...Compile(Host).Errors(host)], []);
  const output = (command: string, ...args: string[]) => execFileSync(command, args, { encoding: 'utf8' }).trim();
  t.is(`${host.kernel.release} ${host.kernel.version} ${host.kernel.architecture}`, output('uname', '-rvm'));
  t.is(host.hostname, output('uname', '-n'));
  t.is(host.bootId, output('cat', '/proc/sys/kernel/random/boot_id'));
  t.deepEqual(
    host.mounts.map(({ mountPoint }) => mountPoint).sort(),
    output('findmnt', '-rn', '-o', 'TARGET').split('\n').sort(),
  );
  t.is(host.osRelease['PRETTY_NAME'], output('sh', '-c', '. /etc/os-release; printf %s "$PRETTY_NAME"'));
  t.deepEqual(host.self.environment, ['LD_PRELOAD=/x']);
  t.true(host.self.libraries.includes(process.execPath));
  t.is(summaryOf(host).kernel, host.kernel.release);
});

testUnless(reasonAgainstProc, 'a sweep of sockets comes in batches', async (t) => {
  const rows: Socket[] = [];
  const summary = await reader(t).sockets('end', (batch) => rows.push(...batch));
  t.is(rows.length, summary.sockets);
  t.true(rows.every(({ when }) => when === 'end'));
});

testUnless(reasonAgainstProc, 'a closed reader refuses, and leaves no process behind', async (t) => {
  const proc = reader(t);
  await proc.read(process.pid, { hash: false });
  proc.close();
  t.deepEqual((await proc.read(process.pid, { hash: false })).errors, [{ field: 'process', code: 'ABANDONED' }]);
  for (let tries = 0; tries < 100 && lanes().length > 0; tries++)
    await new Promise((resolve) => setTimeout(resolve, 50));
  t.deepEqual(lanes(), []);
});

testUnless(reasonAgainstProc, 'where no process can be started, host facts say so and why', async (t) => {
  const { execPath } = process;
  process.execPath = '/nowhere/node';
  t.teardown(() => (process.execPath = execPath));
  const request = { roots: HOST_ROOTS, self: { pid: process.pid, environment: [] } };
  await t.throwsAsync(reader(t).host(request), { name: 'TlsnapError', message: /process of our own.*\(ENOENT\)/ });
});

/** Reading processes among our own children. */
function lanes(): number[] {
  const args = ['-o', 'pid=,args=', '--ppid', String(process.pid)];
  return execFileSync('ps', args, { encoding: 'utf8' })
    .split('\n')
    .filter((line) => line.includes('lane-main'))
    .map((line) => parseInt(line, 10));
}
