import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { Compile } from 'typebox/compile';
import { readParents } from '../../src/procfs/parents.js';
import { readProcess, type ProcessRequest } from '../../src/procfs/process-row.js';
import { Procfs } from '../../src/procfs/procfs.js';
import { Process } from '../../src/snapshot/schema/process.js';
import { reasonAgainstCommands, testUnless } from '../left-out.js';
import { buildProc, statOf } from './fixture-proc.js';
import { becomes, reasonAgainstProc, reasonAgainstRoot, start, temporaryFolder } from './live-process.js';

const procfs = new Procfs();
const schema = Compile(Process);
const request = (pid: number, more: Partial<ProcessRequest> = {}): ProcessRequest => ({
  pid,
  environ: 'none',
  skip: [],
  hungDevices: [],
  ...more,
});

testUnless(reasonAgainstProc, 'a row fits the schema, and says what ps, stat, lsns and the links say', async (t) => {
  const { pid } = start(t, 'sleep', ['60'], { cwd: '/usr' });
  await becomes(pid, 'sleep');
  const row = readProcess(procfs, request(pid));
  t.deepEqual([...schema.Errors(row)], []);
  const output = (command: string, ...args: string[]) => execFileSync(command, args, { encoding: 'utf8' }).trim();
  const link = (name: string) => output('readlink', `/proc/${pid}/${name}`);
  t.deepEqual(row.cmdline, ['sleep', '60']);
  t.is(row.cwd, '/usr');
  t.is(row.root, link('root'));
  t.is(`net:[${row.namespaces?.net}] mnt:[${row.namespaces?.mnt}]`, `${link('ns/net')} ${link('ns/mnt')}`);
  t.is(
    `${row.uid} ${row.gid} ${row.threads}`,
    output('ps', '-o', 'ruid=,rgid=,nlwp=', '-p', String(pid)).replace(/ +/g, ' '),
  );
  t.is(`${row.exeSize} ${row.exeInode}`, output('stat', '-L', '-c', '%s %i', `/proc/${pid}/exe`));
  t.is(row.parents?.[0]?.pid, process.pid);
  t.deepEqual(row.errors, []);
  t.false('environ' in row || 'loaderEnvironment' in row);
});

testUnless(reasonAgainstProc ?? reasonAgainstCommands('python3'), 'arguments are kept to the byte', async (t) => {
  const script = String.raw`
import os
os.execv('/bin/sleep', [b'=cmd()\x1b[2J', b'60', b'', b'../\n', b'\xff\xfe'])`;
  // sleep refuses such arguments and ends; the shell stays, and ignores them.
  const stay = script.replace('/bin/sleep', '/bin/sh').replace("b'60'", "b'-c', b'read x; exit', b'sh'");
  const { pid } = start(t, 'python3', ['-c', stay]);
  await becomes(pid, 'sh');
  const row = readProcess(procfs, request(pid));
  const bytes = readFileSync(`/proc/${pid}/cmdline`);
  t.deepEqual(Buffer.from(row.cmdlineRaw ?? '', 'base64'), bytes);
  t.deepEqual(row.cmdline, ['=cmd()\x1b[2J', '-c', 'read x; exit', 'sh', '', '../\n', '��']);
  t.deepEqual([...schema.Errors(row)], []);
});

testUnless(
  reasonAgainstProc ?? reasonAgainstCommands('openssl', 'readelf'),
  'mapped TLS libraries are named, with their build id',
  async (t) => {
    const { pid } = start(t, 'openssl', ['dgst', '-sha256']);
    await becomes(pid, 'openssl');
    let row = readProcess(procfs, request(pid));
    // The loader maps them after exec.
    for (let tries = 0; tries < 100 && (row.tlsLibraries?.length ?? 0) < 2; tries++) {
      await new Promise((resolve) => setTimeout(resolve, 20));
      row = readProcess(procfs, request(pid));
    }
    t.deepEqual([...new Set(row.tlsLibraries?.map(({ library }) => library))], ['openssl']);
    for (const { path, buildId } of row.tlsLibraries ?? []) {
      const notes = execFileSync('readelf', ['-n', path], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
      t.is(buildId, /Build ID: ([0-9a-f]+)/.exec(notes)?.[1] ?? null);
    }
  },
);

testUnless(reasonAgainstProc, 'environ is read only where it was asked for', async (t) => {
  const { pid } = start(t, 'sleep', ['60'], { env: { SECRET: 'x', LD_LIBRARY_PATH: '/none' } });
  await becomes(pid, 'sleep');
  t.false('environ' in readProcess(procfs, request(pid)));
  const loader = readProcess(procfs, request(pid, { environ: 'loader' }));
  t.deepEqual(loader.loaderEnvironment, ['LD_LIBRARY_PATH=/none']);
  t.false('environ' in loader);
  t.deepEqual(readProcess(procfs, request(pid, { environ: 'all' })).environ, ['SECRET=x', 'LD_LIBRARY_PATH=/none']);
});

testUnless(
  reasonAgainstRoot ?? reasonAgainstCommands('unshare', 'lsns'),
  'a process in namespaces of its own has host pids and its own inodes',
  async (t) => {
    const unshare = start(t, 'unshare', ['--net', '--pid', '--fork', '--kill-child', 'sh', '-c', 'echo ready; read x']);
    t.is(await unshare.line(), 'ready');
    const pid = Number(readFileSync(`/proc/${unshare.pid}/task/${unshare.pid}/children`, 'utf8').trim());
    const row = readProcess(procfs, request(pid));
    t.deepEqual(row.nsPids, [pid, 1]);
    const own = execFileSync('lsns', ['-n', '-o', 'NS,TYPE', '-p', String(pid)], { encoding: 'utf8' });
    const inodes = Object.fromEntries(
      own
        .trim()
        .split('\n')
        .map((line) => line.trim().split(/ +/).reverse()),
    ) as Record<string, string>;
    for (const kind of ['net', 'pid', 'mnt', 'user', 'uts', 'ipc'] as const) {
      t.is(String(row.namespaces?.[kind]), inodes[kind] ?? '', kind);
    }
  },
);

testUnless(reasonAgainstProc, 'a pid that is another process by now is said, and not read', async (t) => {
  const { pid } = start(t, 'sleep', ['60']);
  await becomes(pid, 'sleep');
  const row = readProcess(procfs, request(pid, { startTimeNs: '1' }));
  t.deepEqual(row.errors, [{ field: 'process', code: 'REUSED' }]);
  t.like(row, { startTimeNs: '1', comm: null, exe: null, cmdline: null, sources: [] });
  t.deepEqual([...schema.Errors(row)], []);
});

testUnless(reasonAgainstProc, "the kernel's start time is kept where it names the same process", async (t) => {
  const { pid } = start(t, 'sleep', ['60']);
  await becomes(pid, 'sleep');
  const ticks = BigInt(readProcess(procfs, request(pid)).startTimeTicks ?? 0);
  const exact = String(ticks * 10_000_000n + 1_234_567n);
  t.like(readProcess(procfs, request(pid, { startTimeNs: exact })), { startTimeNs: exact, comm: 'sleep', errors: [] });
});

testUnless(reasonAgainstProc, 'a thread that is taken for a process is said to be one', (t) => {
  const tid = Number(execFileSync('ls', [`/proc/${process.pid}/task`], { encoding: 'utf8' }).split('\n')[1]);
  t.true(readProcess(procfs, request(tid)).errors.some(({ code }) => code === 'THREAD'));
});

test('a process that is not there is one error', (t) => {
  const row = readProcess(new Procfs(temporaryFolder(t)), request(99));
  t.deepEqual(row.errors, [{ field: 'process', code: 'ENOENT' }]);
  t.deepEqual([...schema.Errors(row)], []);
});

test('what cannot be read is null and named, and the rest is there', (t) => {
  const root = temporaryFolder(t);
  buildProc(root, [
    {
      pid: 5,
      files: { status: 'Tgid:\t5\n', cmdline: 'a\0', cgroup: '0::/x\n', loginuid: '4294967295', maps: '' },
      links: { exe: '/nowhere', cwd: '/', root: '/', 'ns/net': 'net:[12]', 'ns/pid': 'pid:[x]' },
    },
  ]);
  mkdirSync(join(root, '5/fd'));
  const row = readProcess(new Procfs(root), request(5));
  t.like(row, { exe: '/nowhere', cmdline: ['a'], cgroup: '/x', loginUid: null, uid: null, sockets: [], exeSize: null });
  t.deepEqual(row.errors, [
    { field: 'namespaces.pid', code: 'MALFORMED' },
    { field: 'exeFile', code: 'ENOENT' },
  ]);
});

test('arguments beyond the bound are cut, and that is said', (t) => {
  const root = temporaryFolder(t);
  buildProc(root, [{ pid: 5, files: { status: '', cmdline: `${'a'.repeat(300_000)}\0` } }]);
  const row = readProcess(new Procfs(root), request(5));
  t.is(row.cmdline?.[0]?.length, 256 * 1024);
  t.true(row.errors.some(({ field, code }) => field === 'cmdline' && code === 'TRUNCATED'));
});

test('a row that would be too long for a snapshot loses the end of its longest list, and that is said', (t) => {
  const root = temporaryFolder(t);
  const folder = `/tmp/${`${'\x01'.repeat(250)}/`.repeat(14)}`;
  const maps = Array.from(
    { length: 250 },
    (_, index) => `1000-2000 r-xp 00000000 08:01 ${index + 1} ${folder}${index}\n`,
  );
  buildProc(root, [{ pid: 5, files: { status: '', cmdline: 'a\0', maps: maps.join('') } }]);
  const row = readProcess(new Procfs(root), request(5));
  t.true(Buffer.byteLength(JSON.stringify(row)) < 4 * 1024 * 1024);
  t.is(row.unusualLibraries?.[0]?.path, `${folder}0`);
  t.true((row.unusualLibraries?.length ?? 0) > 150 && (row.unusualLibraries?.length ?? 0) < 250);
  t.deepEqual(row.cmdline, ['a']);
  t.true(row.errors.some(({ field, code }) => field === 'unusualLibraries' && code === 'TRUNCATED'));
});

test('the chain of parents ends at pid 1, at a loop, and at a parent that is too young', (t) => {
  const root = temporaryFolder(t);
  const process = (pid: number, ppid: number, ticks: string) => ({
    pid,
    files: { stat: statOf({ pid, ppid, ticks }) },
  });
  buildProc(root, [process(1, 0, '1'), process(2, 1, '5'), process(3, 2, '9'), process(8, 9, '3'), process(9, 8, '3')]);
  const made = new Procfs(root);
  const chain = (pid: number, ticks: bigint) => readParents(made, pid, ticks).map((parent) => parent.pid);
  t.deepEqual(chain(3, 10n), [3, 2, 1]);
  t.deepEqual(chain(3, 7n), []);
  t.is(chain(8, 3n).length, 256);
  t.deepEqual(readParents(made, 77, 3n), [{ pid: 77, startTimeNs: null, comm: null, exe: null }]);
  writeFileSync(join(root, '2/stat'), 'nonsense');
  t.deepEqual(chain(3, 10n), [3, 2]);
});
