import test from 'ava';
import fc from 'fast-check';
import { parseStatus } from '../../src/procfs/status.js';

// As a container's process prints it; the meaning of each line is in proc_pid_status(5).
const CONTAINED = `Name:\tuid:\\n0
Umask:\t0022
State:\tS (sleeping)
Tgid:\t4242
Pid:\t4242
PPid:\t1
TracerPid:\t77
Uid:\t1000\t0\t1001\t1002
Gid:\t100\t101\t102\t103
Groups:\t4 24 27 
NSpid:\t4242\t17\t1
Threads:\t12
CapInh:\t0000000000000000
CapPrm:\t00000000a80425fb
CapEff:\t00000000a80425fb
CapBnd:\t00000000a80425fb
CapAmb:\t0000000000000000
NoNewPrivs:\t1
Seccomp:\t2
Seccomp_filters:\t1
`;

test('the fields of interest are read', (t) => {
  t.deepEqual(parseStatus(CONTAINED), {
    tgid: 4242,
    uids: { real: 1000, effective: 0, saved: 1001, filesystem: 1002 },
    gids: { real: 100, effective: 101, saved: 102, filesystem: 103 },
    groups: [4, 24, 27],
    nsPids: [4242, 17, 1],
    threads: 12,
    tracerPid: 77,
    seccomp: 'filter',
    noNewPrivs: true,
    capabilities: {
      inheritable: '0000000000000000',
      permitted: '00000000a80425fb',
      effective: '00000000a80425fb',
      bounding: '00000000a80425fb',
      ambient: '0000000000000000',
    },
  });
});

test('a second line of one name does not replace the first', (t) => {
  t.is(parseStatus('Threads:\t1\nThreads:\t9\n').threads, 1);
});

test('an old kernel leaves fields out, and they are null', (t) => {
  t.like(parseStatus('Tgid:\t1\nUid:\t0\t0\t0\t0\n'), { tgid: 1, nsPids: null, noNewPrivs: null, capabilities: null });
});

test('numbers out of range and half lists are null', (t) => {
  t.like(parseStatus('Tgid:\t4294967296\nUid:\t1\t2\nGroups:\t1 x\nSeccomp:\t3\n'), {
    tgid: null,
    uids: null,
    groups: null,
    seccomp: null,
  });
});

test('no text is an exception', (t) => {
  const line = fc
    .tuple(fc.constantFrom('Uid', 'Groups', 'NSpid', 'CapEff', 'x'), fc.string())
    .map((pair) => pair.join(':'));
  fc.assert(
    fc.property(fc.array(line), (lines) => {
      parseStatus(lines.join('\n'));
      return true;
    }),
  );
  t.pass();
});
