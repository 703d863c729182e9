import { execFileSync } from 'node:child_process';
import { copyFileSync, linkSync, mkdirSync, readFileSync, rmSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { nsToTicks, sameStart, ticksPerSecond, ticksToNs } from '../../src/procfs/clock-ticks.js';
import { statExecutable } from '../../src/procfs/executable.js';
import { readIdentity, readStat } from '../../src/procfs/identity.js';
import { Procfs } from '../../src/procfs/procfs.js';
import { reasonAgainstCommands, testUnless } from '../left-out.js';
import { buildProc, statOf } from './fixture-proc.js';
import { becomes, reasonAgainstProc, reasonAgainstRoot, start, temporaryFolder } from './live-process.js';

const procfs = new Procfs();

testUnless(reasonAgainstProc ?? reasonAgainstCommands('ps', 'getconf'), 'a process is who ps says it is', async (t) => {
  const { pid } = start(t, 'sleep', ['60']);
  await becomes(pid, 'sleep');
  const identity = readIdentity(procfs, pid);
  const ps = (column: string) =>
    execFileSync('ps', ['-o', `${column}=`, '-p', String(pid)], { encoding: 'utf8' }).trim();
  t.is(String(identity.ppid), ps('ppid'));
  t.is(identity.comm, ps('comm'));
  t.is(identity.exe, execFileSync('readlink', ['-f', `/proc/${pid}/exe`], { encoding: 'utf8' }).trim());
  t.is(String(procfs.ticksPerSecond), execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }).trim());
  // ps counts from the same start, in whole seconds.
  const uptime = Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]);
  const age = uptime - Number(identity.startTimeNs) / 1e9;
  t.true(Math.abs(age - Number(ps('etimes'))) <= 2, `${age} s`);
  t.like(identity, { exeDeleted: false, exeMemfd: false, kernelThread: false, errors: [] });
});

testUnless(
  reasonAgainstProc ?? reasonAgainstCommands('python3'),
  'a name of spaces, parentheses and a newline is kept',
  async (t) => {
    const rename = `
import ctypes, sys
ctypes.CDLL(None).prctl(15, b') R 1 (a\\n\\xff', 0, 0, 0)
print('ready', flush=True)
sys.stdin.read()`;
    const python = start(t, 'python3', ['-c', rename]);
    t.is(await python.line(), 'ready');
    const identity = readIdentity(procfs, python.pid);
    t.is(identity.comm, ') R 1 (a\n�');
    t.deepEqual(Buffer.from(identity.commRaw ?? '', 'base64'), Buffer.from(') R 1 (a\n\xff', 'latin1'));
    t.is(identity.ppid, process.pid);
  },
);

testUnless(
  reasonAgainstProc,
  'a deleted executable keeps its name, and is told from one that is only called so',
  async (t) => {
    const folder = temporaryFolder(t);
    const gone = join(folder, 'gone');
    const named = join(folder, 'named (deleted)');
    const unlinked = join(folder, 'unlinked');
    for (const path of [gone, named, unlinked]) copyFileSync('/bin/sleep', path);
    const pids = [gone, named, unlinked].map((path) => start(t, path, ['60']).pid);
    await Promise.all([
      becomes(pids[0] ?? 0, 'gone'),
      becomes(pids[1] ?? 0, 'named (deleted)'),
      becomes(pids[2] ?? 0, 'unlinked'),
    ]);
    linkSync(unlinked, join(folder, 'other-name'));
    unlinkSync(gone);
    unlinkSync(unlinked);
    t.like(readIdentity(procfs, pids[0] ?? 0), { exe: gone, exeDeleted: true, exeMemfd: false });
    const settled = pids.map((pid) => procfs.using(pid, statExecutable));
    t.deepEqual(
      settled.map(({ path, deleted, memfd }) => ({ path: path.toString(), deleted, memfd })),
      [
        { path: gone, deleted: true, memfd: false },
        { path: named, deleted: false, memfd: false },
        { path: unlinked, deleted: true, memfd: false },
      ],
    );
  },
);

testUnless(
  reasonAgainstProc ?? reasonAgainstCommands('python3'),
  'an executable in memory is said to be one',
  async (t) => {
    const python = start(t, 'python3', ['-c', RUN_FROM_MEMORY]);
    await becomes(python.pid, '3');
    t.like(readIdentity(procfs, python.pid), { exe: '/memfd:im plant', exeDeleted: true, exeMemfd: true });
    t.true(procfs.using(python.pid, statExecutable).memfd);
  },
);

testUnless(reasonAgainstProc, 'a process that is gone is an error in the row, never an exception', async (t) => {
  const sleep = start(t, 'sleep', ['60']);
  const directory = procfs.open(sleep.pid);
  t.teardown(() => directory.close());
  await sleep.kill();
  t.deepEqual(readIdentity(procfs, sleep.pid).errors, [{ field: 'process', code: 'ENOENT' }]);
  t.throws(() => readStat(directory), { code: 'ESRCH' });
  t.false(directory.alive());
});

testUnless(
  reasonAgainstRoot ?? reasonAgainstCommands('unshare'),
  'a handle on a process does not read another one that got its pid',
  async (t) => {
    // In a pid namespace of its own, where the next pid can be chosen (ns_last_pid, pid_namespaces(7)).
    const script = `mount -t proc proc /proc; echo ready; read x
sleep 60 & echo $!; read x; kill -9 $!; wait $! 2>/dev/null
echo $(($! - 1)) > /proc/sys/kernel/ns_last_pid; sleep 61 & echo $!; read x`;
    const shell = start(t, 'unshare', ['--pid', '--fork', '--kill-child', '--mount', 'bash', '-c', script]);
    t.is(await shell.line(), 'ready');
    const bash = Number(readFileSync(`/proc/${shell.pid}/task/${shell.pid}/children`, 'utf8').trim());
    const inside = new Procfs(`/proc/${bash}/root/proc`);
    shell.write('\n');
    const first = Number(await shell.line());
    const directory = inside.open(first);
    t.teardown(() => directory.close());
    t.is(readStat(directory).pid, first);
    shell.write('\n');
    t.is(Number(await shell.line()), first);
    t.throws(() => readStat(directory), { code: 'ESRCH' });
    t.is(inside.using(first, readStat).pid, first);
  },
);

test('hidepid makes a process unreadable, and that is said', (t) => {
  const root = temporaryFolder(t);
  mkdirSync(join(root, '7'));
  t.deepEqual(readIdentity(new Procfs(root), 8).errors, [{ field: 'process', code: 'ENOENT' }]);
  // hidepid=1 and 4: the directory is there, what is in it is not.
  t.like(readIdentity(new Procfs(root), 7), { startTimeNs: null, exe: null });
  t.true(readIdentity(new Procfs(root), 7).errors.length > 0);
});

test('a zombie and a kernel thread have no executable, and that is no error', (t) => {
  const root = temporaryFolder(t);
  buildProc(root, [
    { pid: 5, files: { stat: statOf({ pid: 5, state: 'Z' }), cgroup: '0::/\n' } },
    { pid: 6, files: { stat: statOf({ pid: 6, flags: 0x200000 }), cgroup: '0::/\n' } },
  ]);
  const made = new Procfs(root);
  t.like(readIdentity(made, 5), { state: 'Z', exe: null, errors: [] });
  t.like(readIdentity(made, 6), { kernelThread: true, exe: null, errors: [] });
  rmSync(join(root, '6/cgroup'));
  t.deepEqual(readIdentity(made, 6).errors, [{ field: 'cgroup', code: 'ENOENT' }]);
});

test('ticks are the start in nanoseconds rounded down, and tell processes apart', (t) => {
  t.is(ticksToNs(123n, 100), 1_230_000_000n);
  t.is(nsToTicks(1_239_999_999n, 100), 123n);
  t.true(sameStart(1_239_999_999n, 123n, 100));
  t.true(sameStart(1_240_000_000n, 123n, 100));
  t.false(sameStart(1_260_000_000n, 123n, 100));
  t.false(sameStart(1_210_000_000n, 123n, 100));
});

test('without an auxiliary vector the usual number of ticks is taken', (t) => {
  t.is(ticksPerSecond(Buffer.alloc(0)), 100);
  const auxv = Buffer.alloc(32);
  auxv.writeBigUInt64LE(17n, 16);
  auxv.writeBigUInt64LE(1024n, 24);
  t.is(ticksPerSecond(auxv), 1024);
});

const RUN_FROM_MEMORY = `
import os
fd = os.memfd_create('im plant')
os.write(fd, open('/bin/sleep', 'rb').read())
os.dup2(fd, 3)
os.execv('/proc/self/fd/3', ['sleep', '60'])`;
