import test from 'ava';
import { ProcessTable } from '../../src/capture/process-table.js';
import { WallClock } from '../../src/capture/wall-clock.js';
import { kernelRecords, type KernelTask } from '../../src/native/records.js';
import { emptyProcess } from '../../src/procfs/process-row.js';
import type { Process } from '../../src/snapshot/schema/process.js';
import { exitBytes, processBytes, type ProcessFields } from '../native/sample-records.js';

const CURL = { pid: 42, startNs: 1_000n, ppid: 7, comm: 'curl', exe: ['curl', 'bin', 'usr'] } as const;
const READ: Process = {
  ...emptyProcess(42),
  startTimeNs: '1000',
  sources: ['proc'],
  comm: 'curl',
  exe: '/usr/bin/curl',
  exeInode: '99',
  cwd: '/root',
};

test('a process that only the kernel saw has what the kernel told', (t) => {
  const [row] = rowsOf({ ...CURL, cmdline: Buffer.from('curl\0-k\0') });
  t.like(row, { pid: 42, ppid: 7, comm: 'curl', exe: '/usr/bin/curl', cmdline: ['curl', '-k'], sources: ['kernel'] });
});

test('what /proc said stays, and the kernel fills in the rest', (t) => {
  const table = tableOf(CURL);
  table.read({ ...READ, exe: '/usr/bin/curl', uid: 1000 });
  const [row] = [...table.rows(String)];
  t.like(row, { uid: 1000, cwd: '/root', ppid: 7, exeInode: '99', sources: ['proc', 'kernel'] });
});

test('a hello names the cgroup of its moment, wherever the process was moved before /proc was read', (t) => {
  const table = tableOf(CURL);
  table.cgroup(7n, '/before');
  table.read({ ...READ, cgroup: '/after' });
  t.is(table.member({ ...task('curl'), cgroupId: 7n }, 5n, 'connect', null).cgroup, '/before');
  t.is(table.member({ ...task('curl'), cgroupId: 8n }, 5n, 'connect', null).cgroup, '/after');
  t.is([...table.rows(String)][0]?.cgroup, '/after');
});

test('the arguments that a process had are kept, though it was ending when /proc was read', (t) => {
  const table = tableOf({ ...CURL, cmdline: Buffer.from('curl\0-k\0') });
  table.read({ ...READ, cmdline: [] });
  t.deepEqual([...table.rows(String)][0]?.cmdline, ['curl', '-k']);
});

test('one pid with two start times is two processes, each with its own end', (t) => {
  const table = tableOf(CURL, { ...CURL, startNs: 2_000n, comm: 'sh', exe: ['sh', 'bin'] });
  endOf(table, 1_000n, 1_500n, 256);
  t.deepEqual(
    [...table.rows(String)].map(({ comm, startTimeNs, exited, exitCode }) => [comm, startTimeNs, exited, exitCode]),
    [
      ['curl', '1000', '1500', 256],
      ['sh', '2000', null, null],
    ],
  );
});

test('a hello names the program of its own time, and the row the last one', (t) => {
  const table = tableOf(
    { ...CURL, bootNs: 10n },
    { ...CURL, bootNs: 20n, comm: 'nc', exe: ['nc', 'bin', 'usr'], exeInode: 100n, exec: true },
  );
  t.is(table.member(task('curl'), 15n, 'connect', null).exe, '/usr/bin/curl');
  t.is(table.member(task('nc'), 25n, 'connect', null).exe, '/usr/bin/nc');
  // /proc was read before the exec only.
  table.read({ ...READ, exeSha256: 'a'.repeat(64), cmdline: ['curl'], tlsLibraries: [] });
  t.like([...table.rows(String)][0], {
    comm: 'nc',
    exe: '/usr/bin/nc',
    exeInode: '100',
    exeSha256: null,
    cmdline: null,
    tlsLibraries: null,
    cwd: '/root',
  });
});

test('what /proc said of a process that had the pid within two ticks is not said of the one before', (t) => {
  const next = { comm: 'nc', exe: '/usr/bin/nc', exeInode: '100', uid: 1000, cmdline: ['nc', '-l'] };
  const told = { ...CURL, cmdline: Buffer.from('curl\0-k\0') };
  for (const [field, value] of Object.entries(next)) {
    const table = tableOf(told);
    table.read({ ...READ, exeInode: null, [field]: value, cgroup: '/next' });
    endOf(table, 1_000n, 20_000_999n);
    const [row] = [...table.rows(String)];
    t.like(row, { comm: 'curl', exe: '/usr/bin/curl', cwd: null, cgroup: null, sources: ['kernel'] }, field);
    t.deepEqual(row?.errors, [{ field: 'process', code: 'REUSED' }], field);
    t.is(table.member(task('curl'), 5n, 'connect', null).cgroup, null, field);
    t.is(table.known(42, 1_000n), undefined, field);
  }
});

test('what /proc said stays where it agrees with the kernel, and where no other process could have had the start', (t) => {
  const short = tableOf({ ...CURL, cmdline: Buffer.from('curl\0-k\0') });
  short.read({ ...READ, uid: 0, cmdline: ['curl', '-k'] });
  endOf(short, 1_000n, 20_000_999n);
  t.like([...short.rows(String)][0], { cwd: '/root', sources: ['proc', 'kernel'], errors: [] });
  // It gave itself another name.
  const long = tableOf(CURL);
  long.read({ ...READ, comm: 'kworker/0:1' });
  endOf(long, 1_000n, 20_001_000n);
  t.like([...long.rows(String)][0], { comm: 'kworker/0:1', cwd: '/root', sources: ['proc', 'kernel'], errors: [] });
});

test('the digest of a file counts where it is the inode that the process ran', (t) => {
  const gone: Process = { ...READ, sources: ['kernel'], exeSha256: 'b'.repeat(64), exeHashedFrom: 'path' };
  const same = tableOf(CURL);
  same.read(gone);
  t.like([...same.rows(String)][0], { exeSha256: 'b'.repeat(64), exeHashedFrom: 'path', sources: ['kernel'] });
  // Of the program before an exec, read last.
  same.read({ ...gone, exeInode: '100', exeSha256: 'c'.repeat(64) });
  t.like([...same.rows(String)][0], { exeSha256: 'b'.repeat(64) });
  const other = tableOf({ ...CURL, exeInode: 100n });
  other.read(gone);
  t.like([...other.rows(String)][0], { exeSha256: null, exeHashedFrom: null });
});

test('a path that the kernel cut gives way to the whole one', (t) => {
  const table = tableOf({ ...CURL, exeCut: true });
  t.is(table.member(task('curl'), 5n, 'connect', null).exe, '.../usr/bin/curl');
  t.deepEqual([...table.rows(String)][0]?.errors, [{ field: 'exe', code: 'TRUNCATED' }]);
  table.read({ ...READ, exe: '/tmp/deep/usr/bin/curl' });
  t.is(table.member(task('curl'), 5n, 'connect', null).exe, '/tmp/deep/usr/bin/curl');
  t.like([...table.rows(String)][0], { exe: '/tmp/deep/usr/bin/curl', errors: [] });
});

test("boot time becomes wall-clock time by the window's first reading of both", (t) => {
  const clock = new WallClock({
    realtime: '1795363200123456789',
    boottime: '1000',
    monotonic: '900',
    tai: null,
    ntp: null,
  });
  // date -u -d @1795363200
  t.is(clock.format(1_000n), '2026-11-22T16:00:00.123456789Z');
  t.is(clock.format(2_000_000_211n + 1_000n - 1_000_000_000n), '2026-11-22T16:00:01.123457000Z');
  t.is(clock.timeNs(0n), 1_795_363_200_123_455_789n);
});

function tableOf(...processes: readonly ProcessFields[]): ProcessTable {
  const table = new ProcessTable();
  for (const record of kernelRecords(Buffer.concat(processes.map(processBytes)))) {
    if (record.type === 'process') table.kernel(record);
  }
  return table;
}

function endOf(table: ProcessTable, startNs: bigint, bootNs: bigint, code = 0): void {
  for (const record of kernelRecords(exitBytes(42, startNs, code, bootNs))) {
    if (record.type === 'exit') table.exit(record);
  }
}

function rowsOf(...processes: readonly ProcessFields[]): Process[] {
  return [...tableOf(...processes).rows(String)];
}

function task(comm: string): KernelTask {
  const [record] = [...kernelRecords(processBytes({ ...CURL, comm }))];
  if (record?.type !== 'process') throw new Error('no process');
  return record.task;
}
