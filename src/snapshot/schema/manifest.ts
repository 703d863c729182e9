import { Type, type Static } from 'typebox';
import { closed, count, decimal, orNull, sha256, signedDecimal, time, uint32 } from './fields.js';
import { FORMAT_VERSION } from './format-version.js';

const text = (description: string) => orNull(Type.String({ description }));

export const Case = Type.Object(
  {
    case: text('case number'),
    evidence: text('evidence number'),
    examiner: text('who took it'),
    description: text('free words'),
  },
  closed,
);

const HostSummary = Type.Object(
  {
    hostname: Type.String(),
    machineId: orNull(Type.String()),
    bootId: orNull(Type.String()),
    os: text('PRETTY_NAME of os-release'),
    kernel: text('uname -r'),
    architecture: text('uname -m'),
  },
  closed,
);

export const EndedBy = Type.Enum(['elapsed', 'signal', 'limit', 'dump', 'killed', 'input-end', 'error'], {
  description: 'dump: a recorder was read; killed: recovered from a spool; input-end: an imported file',
});

const Window = Type.Object(
  { asked: text('the duration asked for, ISO 8601'), start: time, end: time, endedBy: EndedBy },
  closed,
);

const Ntp = Type.Object(
  {
    synchronized: Type.Boolean(),
    state: text('adjtimex(2) state: ok, insert, delete, oop, wait, error'),
    offsetNs: orNull(signedDecimal),
    maxErrorNs: orNull(decimal),
    estimatedErrorNs: orNull(decimal),
    status: orNull(uint32),
  },
  closed,
);

export const ClockReading = Type.Object(
  { realtime: decimal, monotonic: decimal, boottime: decimal, tai: orNull(decimal), ntp: orNull(Ntp) },
  { ...closed, description: 'the clocks of clock_gettime(2), in nanoseconds, read at one moment' },
);

const Reconciliation = Type.Object(
  { seen: count, kept: count, filtered: count, lost: count },
  { ...closed, description: 'seen = kept + filtered + lost' },
);

const Coverage = Type.Object(
  {
    events: Type.Integer({ minimum: 0, description: 'lines in handshakes.ndjson' }),
    lossesByKind: Type.Record(Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9._/-]{0,63}$' }), count),
    hellosTruncated: count,
    hellosWithoutProcess: count,
    connectionsWithoutHello: orNull(count),
    socketsOlderThanWindow: orNull(count),
    kernelFeaturesMissing: Type.Array(Type.String()),
    limits: Type.Array(Type.String(), { description: 'bounds that were reached, and what was cut by them' }),
    notes: Type.Array(Type.String()),
    redacted: count,
    reconciliation: orNull(Reconciliation),
  },
  closed,
);

const Chain = Type.Object(
  { algorithm: Type.Enum(['sha256']), head: sha256, records: count },
  { ...closed, description: "the spool's last link, and how many records it covers" },
);

const Recovered = Type.Object(
  {
    recordsKept: count,
    bytesKept: count,
    bytesLost: count,
    brokeAt: text('segment and offset of the first byte that could not be kept'),
    reason: text('why it could not'),
  },
  closed,
);

const Input = Type.Object({ path: Type.String(), size: count, sha256 }, closed);

export const SignerFacts = Type.Object(
  {
    source: Type.Enum(['file', 'agent', 'one-time'], { description: 'one-time: the private half was never written' }),
    type: Type.String({ description: 'OpenSSH key type' }),
    fingerprint: Type.String({ pattern: '^SHA256:[A-Za-z0-9+/]{43}$' }),
    comment: orNull(Type.String()),
  },
  closed,
);

export const MemberEntry = Type.Object({ path: Type.String(), size: count, sha256 }, closed);

/** `manifest.json`: what the signature covers, and through the digests in it everything else. */
export const Manifest = Type.Object(
  {
    format: Type.Literal('tlsnap'),
    formatVersion: Type.Literal(FORMAT_VERSION),
    tool: Type.Object({ name: Type.String(), version: Type.String() }, closed),
    source: Type.Enum(['live', 'recorder', 'pcap', 'recovered']),
    case: Case,
    host: orNull(HostSummary),
    window: Window,
    clocks: orNull(Type.Object({ start: ClockReading, end: ClockReading }, closed)),
    tier: text('which set of kernel programs ran'),
    features: Type.Array(Type.String(), { description: 'kernel features that were used' }),
    coverage: Coverage,
    chain: orNull(Chain),
    recovered: orNull(Recovered),
    input: orNull(Input),
    signer: SignerFacts,
    members: Type.Array(MemberEntry),
  },
  closed,
);

export type Manifest = Static<typeof Manifest>;
export type MemberEntry = Static<typeof MemberEntry>;
export type SignerFacts = Static<typeof SignerFacts>;
/** What a writer's caller knows; the rest of the manifest is computed while packing. */
export type SnapshotFacts = Omit<Manifest, 'format' | 'formatVersion' | 'signer' | 'members'>;
