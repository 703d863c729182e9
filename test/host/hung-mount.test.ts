import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { HostReader } from '../../src/host/reader.js';
import { emptyProcess } from '../../src/procfs/process-row.js';
import { reasonAgainstCommands, testUnless } from '../left-out.js';
import { becomes, reasonAgainstRoot, start, temporaryFolder, type Started } from '../procfs/live-process.js';

const reason =
  reasonAgainstRoot ??
  reasonAgainstCommands('python3', 'unshare') ??
  (existsSync('/dev/fuse') ? undefined : 'no /dev/fuse');

/** In a mount namespace of its own; the mount, and whatever waits for it, ends with the test. */
async function hungMount(t: ExecutionContext): Promise<{ server: Started; program: number; locked: number }> {
  const mountPoint = temporaryFolder(t);
  const script = join(import.meta.dirname, 'hung-mount.py');
  const server = start(t, 'unshare', [
    '--mount',
    '--propagation',
    'private',
    'python3',
    script,
    mountPoint,
    '/bin/sleep',
  ]);
  t.teardown(() => server.child.stdin?.end());
  const [program = 0, locked = 0] = (await server.line()).split(' ').map(Number);
  await Promise.all([becomes(program, 'program'), becomes(locked, 'locked')]);
  return { server, program, locked };
}

async function hang(server: Started, what: 'read' | 'all'): Promise<void> {
  server.write(`${what}\n`);
  await server.line();
}

function reader(t: ExecutionContext, maxHung = 8): HostReader {
  const made = new HostReader({ fieldMs: 2500, hash: { maxMs: 1000 }, maxHung });
  t.teardown(() => made.close());
  return made;
}

testUnless(
  reason,
  'an executable whose content cannot be read costs its hash only, and no other process anything',
  async (t) => {
    const { server, program } = await hungMount(t);
    const proc = reader(t);
    await proc.read(process.pid, { hash: false });
    await hang(server, 'read');
    const row = await proc.read(program);
    t.deepEqual(row.errors, [{ field: 'exeSha256', code: 'TIMEOUT' }]);
    t.like(row, { comm: 'program', cmdline: ['program', '600'], exeSha256: null, exeDeleted: false });
    t.truthy(row.exeSize);
    const own = await proc.read(process.pid);
    t.regex(own.exeSha256 ?? '', /^[0-9a-f]{64}$/);
    t.deepEqual(own.errors, []);
  },
);

testUnless(
  reason,
  'an executable on a mount that answers nothing is named, and its mount is not touched twice',
  async (t) => {
    const { server, program } = await hungMount(t);
    const proc = reader(t);
    await hang(server, 'all');
    const first = await proc.read(program);
    t.deepEqual(first.errors, [{ field: 'exeFile', code: 'TIMEOUT' }]);
    t.like(first, { comm: 'program', cmdline: ['program', '600'], exeSize: null });
    t.truthy(first.parents);
    const { hung } = proc;
    t.deepEqual((await proc.read(program)).errors, [{ field: 'exeFile', code: 'TIMEOUT' }]);
    t.is(proc.hung, hung);
    // proc_pid_mountinfo(5): the third field is the device.
    const mounts = readFileSync(`/proc/${program}/mountinfo`, 'utf8').split('\n');
    const exeDevice = mounts.find((line) => line.includes(' - fuse'))?.split(' ')[2] ?? null;
    t.regex(exeDevice ?? '', /^\d+:\d+$/);
    const gone = { ...emptyProcess(program), exe: '/program', exeDeleted: false, exeDevice, exeInode: '2' };
    const now = BigInt(Date.now()) * 1_000_000n;
    t.is(await proc.hashGone(gone, now), gone, 'nor for the digest of a program that is gone');
  },
);

testUnless(reason, 'once too many readings hang for good, nothing that may hang is touched', async (t) => {
  const { server, program } = await hungMount(t);
  const proc = reader(t, 1);
  await hang(server, 'all');
  const hung = await proc.read(program);
  t.true(hung.errors.some(({ field, code }) => field === 'exeFile' && code === 'TIMEOUT'));
  t.is(proc.hung, 1);
  const row = await proc.read(process.pid);
  t.is(proc.hung, 1);
  t.like(row, { pid: process.pid, cmdline: null, exe: process.execPath, exeSha256: null });
  t.true(row.errors.some(({ field, code }) => field === 'cmdline' && code === 'ABANDONED'));
});

testUnless(
  reason,
  'a process that keeps its memory map locked loses what needs that lock, and hangs nobody',
  async (t) => {
    const { server, locked } = await hungMount(t);
    const proc = reader(t);
    await proc.read(process.pid, { hash: false });
    await hang(server, 'read');
    await new Promise((resolve) => setTimeout(resolve, 1000));
    const row = await proc.read(locked);
    t.deepEqual(
      row.errors.map(({ field, code }) => [field, code]),
      [
        ['cmdline', 'TIMEOUT'],
        ['maps', 'ABANDONED'],
        ['exeFile', 'ABANDONED'],
        ['libraries', 'ABANDONED'],
        ['environ', 'ABANDONED'],
      ],
    );
    t.like(row, { cmdline: null, uid: 0, comm: 'locked' });
    t.deepEqual((await proc.read(process.pid, { hash: false })).errors, []);
  },
);
