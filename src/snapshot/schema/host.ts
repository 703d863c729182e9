import { Type, type Static } from 'typebox';
import { base64, closed, count, decimal, orNull, sha256, signedDecimal, time, uint32 } from './fields.js';
import { FieldError, Namespaces } from './process.js';

const Kernel = Type.Object(
  {
    release: orNull(Type.String({ description: 'uname -r' })),
    version: orNull(Type.String({ description: 'uname -v' })),
    architecture: Type.String({ description: 'uname -m' }),
    commandLine: orNull(Type.String()),
  },
  closed,
);

const TaintFlag = Type.Object({ bit: count, letter: Type.String(), meaning: Type.String() }, closed);

const Taint = Type.Object({ value: decimal, flags: Type.Array(TaintFlag) }, closed);

const KernelModule = Type.Object(
  {
    name: Type.String(),
    size: decimal,
    state: Type.String({ description: 'Live, Loading, Unloading' }),
    taint: orNull(Type.String({ description: 'O out of tree, E unsigned, P proprietary, F forced, C staging' })),
  },
  closed,
);

const Modules = Type.Object(
  {
    loaded: Type.Array(KernelModule, { description: 'as /proc/modules lists them' }),
    onlyInProc: Type.Array(Type.String(), { description: 'in /proc/modules but not in /sys/module' }),
    onlyInSys: Type.Array(Type.String(), { description: 'loaded says /sys/module, but not in /proc/modules' }),
  },
  { ...closed, description: 'a module in one place and not in the other hides, or was loading at that moment' },
);

const Mount = Type.Object(
  {
    id: uint32,
    parent: uint32,
    device: Type.String({ description: 'major:minor' }),
    root: Type.String(),
    mountPoint: Type.String(),
    options: Type.String(),
    type: Type.String(),
    source: Type.String(),
    superOptions: Type.String(),
  },
  closed,
);

const PreloadFile = Type.Object(
  {
    path: Type.String(),
    exists: orNull(Type.Boolean({ description: 'null where it could not be told' })),
    size: orNull(count),
    sha256: orNull(sha256),
    content: orNull(Type.String()),
    contentRaw: Type.Optional(base64),
  },
  { ...closed, description: 'libraries that ld.so loads into every process' },
);

const Self = Type.Object(
  {
    pid: uint32,
    environment: Type.Array(Type.String(), { description: 'LD_PRELOAD, LD_AUDIT, LD_LIBRARY_PATH and NODE_OPTIONS' }),
    libraries: Type.Array(Type.String(), { description: 'files mapped as code into the tool itself' }),
    namespaces: Namespaces,
    initialNamespaces: Type.Object(
      {
        net: orNull(Type.Boolean()),
        pid: orNull(Type.Boolean()),
        mnt: orNull(Type.Boolean()),
        user: orNull(Type.Boolean()),
        cgroup: orNull(Type.Boolean()),
      },
      { ...closed, description: "whether each is the host's first one; null where it cannot be told" },
    ),
    hidepid: orNull(Type.String({ description: 'the option of the /proc mount; null where it hides nothing' })),
    notes: Type.Array(Type.String(), { description: 'what the tool could not see from where it ran' }),
  },
  closed,
);

export const HiddenProcess = Type.Object(
  {
    pid: uint32,
    startTimeNs: orNull(decimal),
    comm: orNull(Type.String()),
    hasDirectory: Type.Boolean({ description: '/proc/PID can be opened by name' }),
    answersKill: orNull(Type.Boolean({ description: 'kill(pid, 0) finds it' })),
    explanation: orNull(Type.Enum(['hidepid'], { description: 'null: nothing explains it' })),
  },
  { ...closed, description: 'the kernel saw it make a connection, it lives, and the listing of /proc leaves it out' },
);

const BpfOwner = Type.Object({ pid: uint32, comm: orNull(Type.String()) }, closed);

export const BpfProgram = Type.Object(
  {
    id: uint32,
    type: Type.String(),
    name: orNull(Type.String()),
    tag: orNull(Type.String({ pattern: '^[0-9a-f]{16}$' })),
    loadTimeNs: orNull(Type.String({ ...decimal, description: 'since boot' })),
    uid: orNull(uint32),
    ours: Type.Boolean(),
    owners: Type.Array(BpfOwner, { description: 'processes that hold it open, where known' }),
  },
  closed,
);

export const BpfLink = Type.Object(
  {
    id: uint32,
    type: Type.String(),
    programId: orNull(uint32),
    attachType: orNull(Type.String()),
    target: orNull(Type.String({ description: 'cgroup id, interface, tracepoint' })),
    ours: Type.Boolean(),
    owners: Type.Array(BpfOwner),
  },
  closed,
);

export const BpfAttachment = Type.Object(
  {
    cgroup: Type.String({ description: 'path below the root of the cgroup2 hierarchy' }),
    attachType: Type.String(),
    programId: uint32,
    linkId: orNull(
      Type.Integer({ ...uint32, description: 'null: attached without a link, or by one that is not listed' }),
    ),
  },
  closed,
);

export const BpfObjects = Type.Object(
  {
    programs: Type.Array(BpfProgram),
    links: Type.Array(BpfLink),
    attachments: Type.Optional(
      Type.Array(BpfAttachment, {
        description:
          'who else is on the hooks that tlsnap uses: what runs at the egress, ingress and sockops hooks of the watched ' +
          'cgroup, of those above and of those below, in order; absent where it could not be asked',
      }),
    ),
  },
  closed,
);

/** `host.json`: what helps to judge how far the host can be believed. */
export const Host = Type.Object(
  {
    readAt: Type.String({ ...time, description: 'when these facts were read; milliseconds are known' }),
    hostname: orNull(Type.String()),
    machineId: orNull(Type.String({ pattern: '^[0-9a-f]{32}$' })),
    bootId: orNull(Type.String()),
    uptimeNs: orNull(Type.String({ ...decimal, description: 'in hundredths of a second' })),
    kernel: Kernel,
    osRelease: Type.Record(Type.String({ pattern: '^[A-Z][A-Z0-9_]*$' }), Type.String()),
    taint: orNull(Taint),
    modules: orNull(Modules),
    lsm: orNull(
      Type.Array(Type.String(), { description: 'active security modules; null where securityfs is not there' }),
    ),
    lockdown: orNull(Type.Enum(['none', 'integrity', 'confidentiality'])),
    mounts: Type.Array(Mount),
    preload: PreloadFile,
    self: Self,
    processes: orNull(Type.Object({ listed: count, truncated: Type.Boolean() }, closed)),
    hiddenProcesses: orNull(Type.Array(HiddenProcess, { description: 'null: not compared' })),
    bpf: orNull(Type.Object({ before: orNull(BpfObjects), after: orNull(BpfObjects) }, closed)),
    clockStepNs: orNull(
      Type.String({
        ...signedDecimal,
        description: 'how far the wall clock was moved against boot time in the window',
      }),
    ),
    errors: Type.Array(FieldError),
  },
  closed,
);

export type Host = Static<typeof Host>;
export type HiddenProcess = Static<typeof HiddenProcess>;
export type BpfProgram = Static<typeof BpfProgram>;
export type BpfLink = Static<typeof BpfLink>;
export type BpfAttachment = Static<typeof BpfAttachment>;
export type BpfOwner = Static<typeof BpfOwner>;
export type BpfObjects = Static<typeof BpfObjects>;
