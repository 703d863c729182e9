import test from 'ava';
import { hostDoubts } from '../../src/capture/host-doubts.js';
import type { BpfObjects, Host } from '../../src/snapshot/schema/host.js';
import { HOST } from '../snapshot/sample.js';

const NO_BPF: BpfObjects = { programs: [], links: [] };
const QUIET: Host = { ...HOST, bpf: { before: NO_BPF, after: NO_BPF } };
const MOUNT = {
  id: 1,
  parent: 1,
  device: '0:1',
  root: '/',
  options: 'rw',
  type: 'tmpfs',
  source: 'none',
  superOptions: 'rw',
};
const PROGRAM = { type: 'kprobe', name: null, tag: null, loadTimeNs: null, uid: 0, owners: [] };

test('of a host with nothing unusual there is no doubt', (t) => {
  t.deepEqual(hostDoubts({ ...QUIET, clockStepNs: '900000' }), []);
});

test('each thing that lets a host lie is told', (t) => {
  const told = (changes: Partial<Host>): string => hostDoubts({ ...QUIET, ...changes }).join(' ');
  t.regex(told({ clockStepNs: '-3600000000000' }), /moved by -3600000 ms/);
  t.regex(told({ preload: { ...HOST.preload, exists: true, size: 9 } }), /ld\.so\.preload loads/);
  t.regex(told({ modules: { loaded: [], onlyInProc: [], onlyInSys: ['rootkit'] } }), /in one of/);
  t.regex(told({ self: { ...HOST.self, environment: ['LD_PRELOAD=/x.so'] } }), /started with LD_PRELOAD\./);
  t.regex(told({ self: { ...HOST.self, notes: ['runs in a pid namespace of its own'] } }), /^tlsnap runs in a pid/);
  t.regex(told({ bpf: null }), /could not be listed/);
  const mounts = ['/proc', '/proc/66', '/proc/66/net', '/proc/7', '/procurement/8', '/proc/sys/fs/binfmt_misc'];
  t.regex(told({ mounts: mounts.map((mountPoint) => ({ ...MOUNT, mountPoint })) }), /hide them: 66, 7\./);
});

test('a hidden process is told with its pid, one that hidepid explains is not', (t) => {
  const hidden = { pid: 66, startTimeNs: null, comm: null, hasDirectory: true, answersKill: true };
  const told = (explanation: 'hidepid' | null) =>
    hostDoubts({ ...QUIET, hiddenProcesses: [{ ...hidden, explanation }] }).join(' ');
  t.regex(told(null), /The kernel saw 1 process that \/proc does not list: 66\./);
  t.is(told('hidepid'), '');
});

test("others' BPF programs that come and go in the window are told, and our own are not", (t) => {
  const programs = (...ids: number[]): BpfObjects => ({
    programs: ids.map((id) => ({ ...PROGRAM, id, ours: id >= 100 })),
    links: [],
  });
  t.deepEqual(hostDoubts({ ...QUIET, bpf: { before: programs(1, 2, 100), after: programs(2, 3, 4, 101) } }), [
    'Others loaded 2 BPF programs in the window.',
    '1 BPF program of others went away in the window.',
  ]);
});

test('a program of another on the hooks that we use is told once, however many hooks it is on, with a link or without', (t) => {
  const at = (programId: number, linkId: number | null) => ({
    cgroup: '/',
    attachType: 'cgroup_inet_egress',
    programId,
    linkId,
  });
  const programs = [1, 2, 100].map((id) => ({ ...PROGRAM, id, ours: id === 100 }));
  const attachments = [at(1, null), at(1, null), at(2, 7), at(100, 8)];
  const told = ['The hooks that tlsnap uses have 2 BPF programs of others too.'];
  t.deepEqual(hostDoubts({ ...QUIET, bpf: { before: { programs, links: [], attachments }, after: null } })[0], told[0]);
  // A recorder has no before.
  t.deepEqual(hostDoubts({ ...QUIET, bpf: { before: null, after: { programs, links: [], attachments } } }), told);
});
