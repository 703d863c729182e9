import test from 'ava';
import { diagnose, diagnoseOther, type Evidence } from '../../src/doctor/diagnosis.js';
import { diagnosisText } from '../../src/doctor/diagnosis-text.js';
import type { Trial } from '../../src/doctor/trial.js';
import { TlsnapError } from '../../src/errors.js';
import { collectHost } from '../../src/host/host-facts.js';
import type { Host } from '../../src/snapshot/schema/host.js';

test('a host on which everything loads and is seen gets a whole capture, and nothing to do', (t) => {
  const { capture, lacks, tier, notSeen, checks } = diagnose(evidence());
  t.deepEqual({ capture, lacks, tier, notSeen }, { capture: 'whole', lacks: null, tier: 'task-btf', notSeen: [] });
  t.deepEqual(
    checks.filter(({ state, advice }) => state !== 'ok' || advice !== null),
    [],
  );
});

test('what a lesser tier does not see is told, and limits the capture', (t) => {
  const tier = { ...TIER, name: 'lockdown', missing: ['command lines'] };
  const { capture, notSeen } = diagnose(
    evidence({ trial: { ...TRIAL, tier }, host: { ...HOST, lockdown: 'confidentiality' } }),
  );
  t.is(capture, 'limited');
  t.deepEqual(notSeen, ['command lines']);
});

test('missing privileges make it impossible, for want of a permission', (t) => {
  const refusal = new TlsnapError('permission', 'live capture', 'this process may not', ['Run it as root.']);
  const privileges = {
    missing: ['CAP_BPF'],
    missingOptional: [],
    inUserNamespace: false,
    filtered: false,
    mayLoad: false,
  };
  const { capture, lacks, tier, checks } = diagnose(evidence({ trial: refused(refusal), privileges }));
  t.deepEqual({ capture, lacks, tier }, { capture: 'impossible', lacks: 'permission', tier: null });
  t.like(checks.find(({ name }) => name === 'privileges') ?? {}, { state: 'missing', found: 'all but CAP_BPF' });
});

test('a kernel that takes nothing is to blame with its age and its missing types', (t) => {
  const refusal = new TlsnapError('unavailable', 'this kernel', 'does not take the BPF programs:\nverifier log');
  const host = { ...HOST, kernel: { ...HOST.kernel, release: '4.19.0-27-amd64' } };
  const diagnosis = diagnose(
    evidence({ trial: refused(refusal), host, bpf: { ...BPF, btfBytes: null, memlock: Infinity } }),
  );
  t.is(diagnosis.lacks, 'unavailable');
  const missing = diagnosis.checks.filter(({ state }) => state === 'missing').map(({ name }) => name);
  t.deepEqual(missing, ['kernel', 'types', 'programs']);
  t.notRegex(diagnosisText(diagnosis, { color: false, width: Infinity }), /verifier log/);
});

test('an old kernel on which all loads nevertheless is only noted', (t) => {
  const host = { ...HOST, kernel: { ...HOST.kernel, release: '4.18.0-553.el8.x86_64' } };
  const { capture, checks } = diagnose(evidence({ host }));
  t.is(capture, 'whole');
  t.is(checks.find(({ name }) => name === 'kernel')?.state, 'note');
});

test('a handshake that was sent and not seen makes a capture impossible', (t) => {
  const { capture, lacks } = diagnose(evidence({ trial: { ...TRIAL, handshake: { outcome: 'unseen' } } }));
  t.deepEqual({ capture, lacks }, { capture: 'impossible', lacks: 'unavailable' });
});

test('a pid namespace of its own limits the view and is named; a clock that drifts does not', (t) => {
  const note = 'runs in a pid namespace of its own';
  const self = { ...HOST.self, initialNamespaces: { ...HOST.self.initialNamespaces, pid: false }, notes: [note] };
  t.deepEqual(diagnose(evidence({ host: { ...HOST, self } })).notSeen, [note]);
  t.is(diagnose(evidence({ host: { ...HOST, self } })).capture, 'limited');
  const ntp = {
    synchronized: false,
    state: 'error',
    offsetNs: '0',
    maxErrorNs: '0',
    estimatedErrorNs: '0',
    status: 64,
  };
  const drifting = diagnose(evidence({ clocks: { realtime: '0', monotonic: '0', boottime: '0', tai: null, ntp } }));
  t.is(drifting.capture, 'whole');
  t.is(drifting.checks.find(({ name }) => name === 'clock')?.state, 'note');
});

test('before 5.11 the limit on locked memory is to blame where nothing loads', (t) => {
  const refusal = new TlsnapError('unavailable', 'this kernel', 'Operation not permitted');
  const bpf = { ...BPF, memlock: 65536 };
  const stateOn = (release: string) =>
    diagnose(
      evidence({ trial: refused(refusal), bpf, host: { ...HOST, kernel: { ...HOST.kernel, release } } }),
    ).checks.find(({ name }) => name === 'memlock')?.state;
  t.is(stateOn('5.10.0-33-amd64'), 'missing');
  t.is(stateOn('5.11.0'), 'ok');
  t.is(stateOn('6.1.0-9-amd64'), 'ok');
});

test('another system gets told where to capture, and that the offline commands work', (t) => {
  const diagnosis = diagnoseOther('darwin');
  t.is(diagnosis.lacks, 'unavailable');
  t.regex(diagnosisText(diagnosis, { color: false }), /this is darwin[^]*offline commands: work here/);
});

test('nothing that the host says reaches the terminal raw', (t) => {
  const host = { ...HOST, kernel: { ...HOST.kernel, release: '6.1\u001b[31m' } };
  t.notRegex(diagnosisText(diagnose(evidence({ host })), { color: false }), /\u001b/);
});

function evidence(different: Partial<Evidence> = {}): Evidence {
  return {
    host: HOST,
    bpf: BPF,
    privileges: { missing: [], missingOptional: [], inUserNamespace: false, filtered: false, mayLoad: true },
    output: { directory: '/mnt/usb', fault: null, freeBytes: 8e9 },
    addon: { libbpf: 'v1.1' },
    cgroupMount: '/sys/fs/cgroup',
    othersOnHooks: 2,
    clocks: null,
    ringBytes: 16 * 1024 * 1024,
    trial: TRIAL,
    ...different,
  };
}

function refused(refusal: TlsnapError): Trial {
  return { ...TRIAL, tier: null, programs: [], refusal, handshake: { outcome: 'not-tried', reason: 'no programs' } };
}

/** A host of which nothing could be read, made into a usual one. */
const UNREAD = collectHost({ roots: { proc: '/none', sys: '/none', etc: '/none' }, self: { pid: 1, environment: [] } });
const HOST: Host = {
  ...UNREAD,
  kernel: { ...UNREAD.kernel, release: '6.1.0-25-amd64', architecture: 'x86_64' },
  lockdown: 'none',
  lsm: ['lockdown', 'yama', 'apparmor'],
  mounts: [
    {
      id: 30,
      parent: 24,
      device: '0:27',
      root: '/',
      mountPoint: '/sys/fs/bpf',
      options: 'rw',
      type: 'bpf',
      source: 'bpf',
      superOptions: 'rw',
    },
  ],
  self: { ...UNREAD.self, notes: [] },
};
const BPF = { btfBytes: 5_500_000, unprivilegedDisabled: 2, jit: 1, memlock: 8_388_608 };
const TIER = {
  name: 'task-btf',
  tunables: { tlsnap_task_btf: 1, tlsnap_probe_read: 1 },
  tracepoints: true,
  missing: [],
} as const;
const TRIAL: Trial = {
  tier: TIER,
  programs: ['tlsnap_egress', 'tlsnap_ingress', 'tlsnap_exec', 'tlsnap_exit', 'tlsnap_sockops'],
  loadMs: 500,
  refusal: null,
  handshake: { outcome: 'seen', hashed: true },
};
