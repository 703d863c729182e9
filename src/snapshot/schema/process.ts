import { Type, type Static } from 'typebox';
import { base64, closed, decimal, orNull, sha256, time, uint32 } from './fields.js';

const hex = Type.String({ pattern: '^[0-9a-f]+$' });

export const FieldError = Type.Object(
  {
    field: Type.String({ description: 'the field that is missing or incomplete; `process` where it is the whole row' }),
    code: Type.String({
      pattern: '^[A-Z][A-Z0-9_]*$',
      description:
        'an errno name (ESRCH: the process was gone), or TIMEOUT, REUSED (the pid is, or may by then have been, that of another), THREAD, TRUNCATED, TOO_LARGE, CHANGED, MALFORMED, ABANDONED',
    }),
  },
  { ...closed, description: 'what could not be read, and why' },
);

export const UserIds = Type.Object(
  { real: uint32, effective: uint32, saved: uint32, filesystem: uint32 },
  { ...closed, description: 'of users or of groups' },
);

export const Capabilities = Type.Object(
  {
    inheritable: orNull(hex),
    permitted: orNull(hex),
    effective: orNull(hex),
    bounding: orNull(hex),
    ambient: orNull(hex),
  },
  { ...closed, description: 'bit masks as /proc/PID/status prints them' },
);

export const Namespaces = Type.Object(
  {
    net: orNull(uint32),
    pid: orNull(uint32),
    mnt: orNull(uint32),
    user: orNull(uint32),
    uts: orNull(uint32),
    ipc: orNull(uint32),
    cgroup: orNull(uint32),
    time: orNull(uint32),
  },
  { ...closed, description: 'inode numbers of the namespaces' },
);

export const CgroupV1 = Type.Object({ controllers: Type.String(), path: Type.String() }, closed);

export const Container = Type.Object(
  {
    id: Type.String(),
    runtime: orNull(
      Type.Enum(['docker', 'containerd', 'podman', 'cri-o', 'lxc', 'systemd-nspawn'], {
        description: 'null where the cgroup names a container but not who runs it',
      }),
    ),
    podUid: orNull(Type.String({ description: 'Kubernetes pod, with dashes' })),
  },
  { ...closed, description: 'as the cgroup path names it; the process may have chosen that name if it is privileged' },
);

export const OpenSocket = Type.Object({ fd: uint32, inode: decimal }, closed);

export const MappedLibrary = Type.Object(
  {
    path: Type.String({ description: "in the process's mount namespace" }),
    pathRaw: Type.Optional(base64),
    deleted: Type.Boolean(),
    device: Type.String({ description: 'major:minor, decimal' }),
    inode: decimal,
    buildId: orNull(hex),
  },
  closed,
);

export const TlsLibrary = Type.Object(
  {
    ...MappedLibrary.properties,
    library: Type.String({ description: 'openssl, gnutls, nss, boringssl, wolfssl, mbedtls, s2n, rustls, ...' }),
  },
  closed,
);

export const UnusualLibrary = Type.Object(
  {
    ...MappedLibrary.properties,
    reason: Type.Enum(['deleted', 'memory', 'temporary-directory']),
  },
  { ...closed, description: 'executable code mapped from where packages do not install any; a fact, not a verdict' },
);

export const ParentProcess = Type.Object(
  {
    pid: uint32,
    startTimeNs: orNull(decimal),
    comm: orNull(Type.String()),
    commRaw: Type.Optional(base64),
    exe: orNull(Type.String()),
    exeRaw: Type.Optional(base64),
  },
  closed,
);

/**
 * One line of `processes.ndjson`: one process, keyed by `pid` and `startTimeNs`.
 * Text is what the process said of itself. Where its bytes are not valid UTF-8 the string holds U+FFFD and a sibling
 * `...Raw` holds the bytes in base64; without such a sibling the string is exact.
 */
export const Process = Type.Object(
  {
    pid: uint32,
    startTimeNs: orNull(
      Type.String({
        ...decimal,
        description: "since boot; the kernel's own number where it was seen, else rounded down to a clock tick",
      }),
    ),
    startTimeTicks: orNull(decimal),
    sources: Type.Array(Type.Enum(['kernel', 'proc']), { description: 'who told: the event, /proc, or both' }),
    readAt: orNull(Type.String({ ...time, description: 'when /proc was read; milliseconds are known' })),
    ppid: orNull(uint32),
    comm: orNull(Type.String()),
    commRaw: Type.Optional(base64),
    state: orNull(Type.String({ description: 'R S D T t Z X I, as /proc/PID/stat prints it' })),
    kernelThread: orNull(Type.Boolean()),
    uid: orNull(uint32),
    gid: orNull(uint32),
    uids: orNull(UserIds),
    gids: orNull(UserIds),
    groups: orNull(Type.Array(uint32)),
    nsPids: orNull(Type.Array(uint32, { description: 'its pid in each pid namespace, outermost first' })),
    threads: orNull(uint32),
    tracerPid: orNull(uint32),
    seccomp: orNull(Type.Enum(['disabled', 'strict', 'filter'])),
    noNewPrivs: orNull(Type.Boolean()),
    capabilities: orNull(Capabilities),
    exe: orNull(
      Type.String({
        description: 'without the kernel\'s " (deleted)"; of a path too long for its record the end behind ".../"',
      }),
    ),
    exeRaw: Type.Optional(base64),
    exeDeleted: orNull(Type.Boolean()),
    exeMemfd: orNull(Type.Boolean()),
    exeSize: orNull(decimal),
    exeDevice: orNull(Type.String({ description: 'major:minor, decimal' })),
    exeInode: orNull(decimal),
    exeSha256: orNull(sha256),
    exeBuildId: orNull(hex),
    exeHashedFrom: orNull(
      Type.Enum(['process', 'path'], {
        description:
          'path: the process was gone, or /proc led to another file, and the file now at that path was read: with the same inode, where known, and not changed (ctime) since the process was known to run',
      }),
    ),
    cmdline: orNull(Type.Array(Type.String())),
    cmdlineRaw: Type.Optional(base64),
    cwd: orNull(Type.String()),
    cwdRaw: Type.Optional(base64),
    root: orNull(Type.String()),
    rootRaw: Type.Optional(base64),
    cgroup: orNull(Type.String({ description: 'in the cgroup2 hierarchy, or in name=systemd where there is none' })),
    cgroupsV1: orNull(Type.Array(CgroupV1)),
    container: orNull(Container),
    systemdUnit: orNull(Type.String()),
    systemdUserUnit: orNull(Type.String()),
    namespaces: orNull(Namespaces),
    loginUid: orNull(Type.Integer({ ...uint32, description: 'audit; null where it was never set' })),
    auditSession: orNull(uint32),
    sockets: orNull(Type.Array(OpenSocket)),
    tlsLibraries: orNull(Type.Array(TlsLibrary)),
    unusualLibraries: orNull(Type.Array(UnusualLibrary)),
    parents: orNull(Type.Array(ParentProcess, { description: 'nearest first, up to pid 1' })),
    loaderEnvironment: Type.Optional(
      Type.Array(Type.String(), { description: 'LD_PRELOAD, LD_AUDIT, LD_LIBRARY_PATH; only where it was asked for' }),
    ),
    environ: Type.Optional(Type.Array(Type.String(), { description: 'only where it was asked for' })),
    environRaw: Type.Optional(base64),
    firstSeen: orNull(Type.String({ ...time, description: 'when it first took part in a connection' })),
    exited: orNull(Type.String({ ...time, description: 'when it ended; null where it outlived the window' })),
    exitCode: orNull(Type.Integer({ ...uint32, description: 'as in wait(2)' })),
    errors: Type.Array(FieldError),
  },
  closed,
);

export type FieldError = Static<typeof FieldError>;
export type UserIds = Static<typeof UserIds>;
export type Capabilities = Static<typeof Capabilities>;
export type Namespaces = Static<typeof Namespaces>;
export type CgroupV1 = Static<typeof CgroupV1>;
export type Container = Static<typeof Container>;
export type OpenSocket = Static<typeof OpenSocket>;
export type TlsLibrary = Static<typeof TlsLibrary>;
export type UnusualLibrary = Static<typeof UnusualLibrary>;
export type ParentProcess = Static<typeof ParentProcess>;
export type Process = Static<typeof Process>;
