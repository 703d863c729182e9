import test from 'ava';
import { Compile } from 'typebox/compile';
import { withKernelIdentity, type KernelIdentity } from '../../src/procfs/kernel-identity.js';
import { emptyProcess } from '../../src/procfs/process-row.js';
import { Process } from '../../src/snapshot/schema/process.js';

const KERNEL: KernelIdentity = {
  pid: 7,
  startTimeNs: '1234567890',
  ppid: 3,
  uid: 1000,
  gid: 1000,
  comm: Buffer.from('cu\xffrl', 'latin1'),
  exe: Buffer.from('/usr/bin/curl'),
  cmdline: Buffer.from('curl\0-k'),
  cmdlineTruncated: true,
  netns: 12,
  pidns: 13,
};

test('a process that was gone before /proc was read is what the kernel said', (t) => {
  const gone = { ...emptyProcess(7), errors: [{ field: 'process', code: 'ENOENT' }] };
  const row = withKernelIdentity(gone, KERNEL);
  t.deepEqual([...Compile(Process).Errors(row)], []);
  t.like(row, {
    sources: ['kernel'],
    startTimeNs: '1234567890',
    ppid: 3,
    uid: 1000,
    comm: 'cu�rl',
    commRaw: Buffer.from('cu\xffrl', 'latin1').toString('base64'),
    exe: '/usr/bin/curl',
    cmdline: ['curl', '-k'],
    cmdlineRaw: Buffer.from('curl\0-k').toString('base64'),
    namespaces: { net: 12, pid: 13, mnt: null },
  });
  t.deepEqual(row.errors, [
    { field: 'process', code: 'ENOENT' },
    { field: 'cmdline', code: 'TRUNCATED' },
  ]);
});

test('what /proc said stays, but the start time is the exact one', (t) => {
  const read: Process = {
    ...emptyProcess(7),
    sources: ['proc'],
    startTimeNs: '1230000000',
    comm: 'curl',
    exe: '/bin/curl',
    cmdline: ['x'],
    uid: 0,
  };
  const row = withKernelIdentity(read, KERNEL);
  t.like(row, {
    sources: ['kernel', 'proc'],
    startTimeNs: '1234567890',
    comm: 'curl',
    exe: '/bin/curl',
    cmdline: ['x'],
    uid: 0,
  });
  t.false('commRaw' in row);
  t.deepEqual(row.errors, []);
});
