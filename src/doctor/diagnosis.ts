import { TlsnapError } from '../errors.js';
import type { Privileges } from '../native/privileges.js';
import type { Host } from '../snapshot/schema/host.js';
import type { Manifest } from '../snapshot/schema/manifest.js';
import type { Check, CheckState, Diagnosis } from './check.js';
import type { BpfFacts, OutputFacts } from './facts.js';
import type { Trial } from './trial.js';

/** All that was found out about a Linux host. */
export interface Evidence {
  readonly host: Host;
  readonly bpf: BpfFacts;
  readonly privileges: Privileges;
  readonly output: OutputFacts;
  /** The addon's libbpf, as `v1.1`; or why there is no addon. */
  readonly addon: { readonly libbpf: string } | { readonly fault: TlsnapError };
  /** Mount point of the cgroup2 hierarchy's root; null where none shows it. */
  readonly cgroupMount: string | null;
  /** Programs of others at the hooks of the hierarchy's root; null where they may not be listed. */
  readonly othersOnHooks: number | null;
  readonly clocks: NonNullable<Manifest['clocks']>['start'] | null;
  readonly ringBytes: number;
  readonly trial: Trial;
}

/** Judges by the trial; the rest says why it went as it did, and what a capture would be blind to. */
export function diagnose(evidence: Evidence): Diagnosis {
  const { refusal, tier } = evidence.trial;
  // What is not as it should be is to blame only where the trial failed.
  const blame: CheckState = refusal === null ? 'note' : 'missing';
  const checks = [
    kernel(evidence, blame),
    types(evidence, blame),
    lockdown(evidence),
    jit(evidence),
    unprivileged(evidence),
    privileges(evidence, blame),
    memlock(evidence, blame),
    addon(evidence),
    cgroup2(evidence, blame),
    hooks(evidence),
    programs(evidence),
    handshake(evidence),
    processes(evidence),
    output(evidence),
    recorder(evidence),
    clock(evidence),
  ];
  const blind = evidence.trial.handshake.outcome === 'unseen';
  const impossible = refusal !== null || blind;
  const limited = checks.some(({ state }) => state === 'limited');
  return {
    capture: impossible ? 'impossible' : limited ? 'limited' : 'whole',
    lacks: !impossible ? null : refusal?.kind === 'permission' ? 'permission' : 'unavailable',
    tier: tier?.name ?? null,
    notSeen: impossible ? [] : notSeen(evidence),
    checks,
  };
}

/** The verdict on a system that is no Linux. */
export function diagnoseOther(platform: string): Diagnosis {
  const found = `this is ${platform}`;
  const advice = 'Capture on the suspect Linux host; the offline commands work here.';
  const system: Check = { name: 'system', state: 'missing', found, needed: 'Linux', advice };
  return { capture: 'impossible', lacks: 'unavailable', tier: null, notSeen: [], checks: [system] };
}

function notSeen({ trial, privileges, host }: Evidence): string[] {
  const without = (capability: string): boolean => privileges.missingOptional.includes(capability);
  return [
    ...(trial.tier?.missing ?? []),
    ...(without('CAP_SYS_PTRACE') ? ["executables, libraries and sockets of other users' processes"] : []),
    ...(without('CAP_SYS_ADMIN') ? ['BPF programs and links of others'] : []),
    ...(isBlinded(host) ? host.self.notes : []),
  ];
}

function kernel({ host }: Evidence, blame: CheckState): Check {
  const release = host.kernel.release;
  const [major = 0, minor = 0] =
    /^(\d+)\.(\d+)/
      .exec(release ?? '')
      ?.slice(1)
      .map(Number) ?? [];
  const enough = major > 5 || (major === 5 && minor >= 10);
  const found = `${release ?? 'not known'} ${host.kernel.architecture}`;
  return check('kernel', enough ? 'ok' : blame, found, '5.10 or later', 'Boot a kernel of 5.10 or later.');
}

function types({ bpf: { btfBytes } }: Evidence, blame: CheckState): Check {
  const found = btfBytes === null ? 'no /sys/kernel/btf/vmlinux' : `/sys/kernel/btf/vmlinux, ${megabytes(btfBytes)}`;
  const advice =
    'Mount sysfs at /sys where it is missing, name a BTF file of this very kernel with capture --btf, or boot one with ' +
    'CONFIG_DEBUG_INFO_BTF=y.';
  return check('types', btfBytes === null ? blame : 'ok', found, "the kernel's own types (BTF)", advice);
}

/** Only confidentiality takes something away, and the tier says what. */
function lockdown({ host, trial }: Evidence): Check {
  const state = host.lockdown === 'confidentiality' ? (trial.tier?.name === 'lockdown' ? 'limited' : 'note') : 'ok';
  const found = `lockdown ${host.lockdown ?? 'not known'}; LSM ${host.lsm?.join(',') ?? 'not known'}`;
  const advice = 'Nothing, where policy asks for it: what is not seen is listed below.';
  return check('lockdown', state, found, 'none or integrity', advice);
}

function jit({ bpf }: Evidence): Check {
  const found = bpf.jit === null ? 'not readable' : bpf.jit === 0 ? 'off: programs are interpreted' : 'on';
  const advice = 'sysctl net.core.bpf_jit_enable=1 makes the programs several times faster.';
  return check('jit', bpf.jit === 0 ? 'note' : 'ok', found, 'on, for speed', advice);
}

function unprivileged({ bpf: { unprivilegedDisabled } }: Evidence): Check {
  const words = ['allowed', 'forbidden until reboot', 'forbidden'];
  const found = `without privileges ${words[unprivilegedDisabled ?? -1] ?? 'not known'}`;
  return check('bpf', 'ok', found, 'either: tlsnap has its capabilities', '');
}

function privileges({ privileges: { missing, missingOptional, inUserNamespace } }: Evidence, blame: CheckState): Check {
  const needed = 'CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON; better root';
  const lacking = [...missing, ...missingOptional];
  const state = missing.length > 0 || inUserNamespace ? blame : lacking.length > 0 ? 'limited' : 'ok';
  const found = inUserNamespace
    ? 'those of a user namespace, which count for nothing here'
    : lacking.length === 0
      ? 'all'
      : `all but ${lacking.join(', ')}`;
  const advice = inUserNamespace
    ? 'Run it outside of the container, or in one without a user namespace of its own.'
    : `Run it as root, or grant ${lacking.join(', ')} (a container: --cap-add, or --privileged).`;
  return check('privileges', state, found, needed, advice);
}

/** Since kernel commit d5299b67dd59 (5.11) BPF memory is accounted to the cgroup, not to this limit. */
function memlock({ bpf, host, ringBytes, trial }: Evidence, blame: CheckState): Check {
  const counts = /^(?:[0-4]|5\.(?:\d|10))\./.test(host.kernel.release ?? '');
  const { memlock: limit } = bpf;
  const short = counts && trial.refusal !== null && limit !== null && limit < 2 * ringBytes;
  const found = limit === null ? 'not known' : limit === Infinity ? 'no limit' : megabytes(limit);
  const needed = counts ? `${megabytes(2 * ringBytes)}, or CAP_SYS_RESOURCE to raise it` : 'any, from 5.11 on';
  return check('memlock', short ? blame : 'ok', found, needed, 'Raise it with ulimit -l unlimited.');
}

function addon({ addon: state }: Evidence): Check {
  const needed = 'the addon and its libbpf';
  if ('libbpf' in state) return check('addon', 'ok', `loads, libbpf ${state.libbpf}`, needed, '');
  return check('addon', 'missing', state.fault.detail, needed, state.fault.suggestions.join(' '));
}

function cgroup2({ cgroupMount }: Evidence, blame: CheckState): Check {
  const found = cgroupMount === null ? 'its root is not mounted here' : `mounted at ${cgroupMount}`;
  const advice = 'As root of the host nothing is to be done: tlsnap mounts it where nobody sees it.';
  return check('cgroup2', cgroupMount === null ? blame : 'ok', found, 'the root of the hierarchy', advice);
}

function hooks({ othersOnHooks }: Evidence): Check {
  const found = othersOnHooks === null ? 'may not be listed' : `${othersOnHooks} programs of others`;
  const state = othersOnHooks === null ? 'note' : 'ok';
  return check('hooks', state, found, 'any: tlsnap attaches beside them', 'As root of the host they are listed.');
}

function programs({ privileges: { mayLoad }, trial: { refusal, tier, programs: loaded, loadMs } }: Evidence): Check {
  const needed = 'all that the kernel can take';
  if (refusal !== null) {
    // What privileges are missing is advice enough.
    const advice = refusal.kind === 'permission' && !mayLoad ? '' : refusal.suggestions.join(' ');
    return check('programs', 'missing', `${refusal.subject}: ${refusal.detail}`, needed, advice);
  }
  const missing = tier?.missing ?? [];
  const found = `${loaded.length} loaded in ${loadMs.toFixed()} ms, tier ${tier?.name ?? 'not known'}`;
  const advice = 'A later kernel, or one with tracepoints and without lockdown, shows more.';
  return check('programs', missing.length > 0 ? 'limited' : 'ok', found, needed, advice);
}

function handshake({ trial: { refusal, handshake: result } }: Evidence): Check {
  const needed = 'a handshake of our own is seen';
  switch (result.outcome) {
    case 'seen':
      return result.hashed
        ? check('handshake', 'ok', 'seen, with its process and JA3', needed, '')
        : check(
            'handshake',
            'note',
            'seen, without a JA3 by the kernel',
            needed,
            'Nothing: JA3 comes from the raw bytes.',
          );
    case 'unseen':
      return check('handshake', 'missing', 'sent, and not seen', needed, 'Report it, with tlsnap doctor --json.');
    case 'not-tried': {
      const advice = refusal === null ? 'Run it as root of the host, with loopback up, to be sure.' : '';
      return check('handshake', 'note', `not tried: ${result.reason}`, needed, advice);
    }
  }
}

/** A container's view, and what /proc hides. */
function processes({ host }: Evidence): Check {
  const { notes } = host.self;
  const found = notes.length === 0 ? "the host's own" : notes.join('; ');
  const advice = 'Run it in the namespaces of the host (a container: --pid=host --net=host --cgroupns=host).';
  return check('view', isBlinded(host) ? 'limited' : notes.length > 0 ? 'note' : 'ok', found, "the host's own", advice);
}

/** Network and mount namespaces hide no hello and no process; these do. */
function isBlinded({ self: { initialNamespaces, hidepid } }: Host): boolean {
  return initialNamespaces.pid === false || initialNamespaces.cgroup === false || hidepid !== null;
}

function output({ output: { directory, fault, freeBytes } }: Evidence): Check {
  const short = fault === null && freeBytes < SPACE_BYTES;
  const found = fault === null ? `${directory}, ${megabytes(freeBytes)} free` : `${directory}: ${fault}`;
  const advice = 'Name a place with room: capture --output FILE.';
  return check('output', fault !== null || short ? 'note' : 'ok', found, `${megabytes(SPACE_BYTES)} free`, advice);
}

function recorder({ host }: Evidence): Check {
  const mount = host.mounts.find(({ type }) => type === 'bpf');
  const found = mount ? `bpffs at ${mount.mountPoint}` : 'no bpffs';
  const advice = 'mount -t bpf bpf /sys/fs/bpf; a capture does without.';
  return check('recorder', mount ? 'ok' : 'note', found, 'bpffs, for record only', advice);
}

function clock({ clocks }: Evidence): Check {
  const synchronized = clocks?.ntp?.synchronized ?? null;
  const found =
    synchronized === null ? 'not known' : synchronized ? 'synchronised' : 'not synchronised: times may be off';
  const advice = 'Note how far it is off; do not set it on a suspect host.';
  return check('clock', synchronized === false ? 'note' : 'ok', found, 'synchronised (NTP)', advice);
}

function check(name: string, state: CheckState, found: string, needed: string, advice: string): Check {
  return { name, state, found, needed, advice: state === 'ok' || advice === '' ? null : advice };
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

/** A window of an hour on a busy host, spool and snapshot together. */
const SPACE_BYTES = 500e6;
