import { Type, type Static } from 'typebox';

/** One line of `handshakes.ndjson`: one hello as one end of a connection on this host saw it. */
const orNull = <T extends Type.TSchema>(schema: T) => Type.Union([schema, Type.Null()]);
const uint16 = Type.Integer({ minimum: 0, maximum: 0xffff });
const uint32 = Type.Integer({ minimum: 0, maximum: 0xffff_ffff });
const decimal = Type.String({ pattern: '^[0-9]{1,20}$', description: 'an unsigned 64-bit number, as decimal digits' });
const base64 = Type.String({ pattern: '^[A-Za-z0-9+/]*={0,2}$' });
const md5 = Type.String({ pattern: '^[0-9a-f]{32}$' });
const sha256 = Type.String({ pattern: '^[0-9a-f]{64}$' });
const closed = { additionalProperties: false } as const;

export const Sender = Type.Object(
  { pid: uint32, tid: uint32, startTimeNs: decimal, uid: uint32, gid: uint32, comm: Type.String() },
  { ...closed, description: 'the process that sent the hello, where it is not the one that connected' },
);

export const HandshakeProcess = Type.Object(
  {
    pid: uint32,
    tid: uint32,
    startTimeNs: decimal,
    ppid: orNull(uint32),
    uid: orNull(uint32),
    gid: orNull(uint32),
    comm: orNull(Type.String()),
    exe: orNull(Type.String()),
    cgroup: orNull(Type.String()),
    container: orNull(Type.String({ description: 'container id' })),
    attribution: Type.Enum(['connect', 'send', 'accept', 'inode', 'none']),
    sender: orNull(Sender),
  },
  closed,
);

export const Flow = Type.Object(
  {
    src: Type.String(),
    srcPort: uint16,
    dst: Type.String(),
    dstPort: uint16,
    netns: orNull(uint32),
    cookie: orNull(decimal),
  },
  { ...closed, description: "from the hello sender's side; v4-mapped addresses are written as IPv4" },
);

export const Hello = Type.Object(
  {
    raw: base64,
    complete: Type.Boolean(),
    segments: Type.Integer({ minimum: 0 }),
    records: Type.Integer({ minimum: 0 }),
    streamOffset: orNull(Type.Integer({ minimum: 0 })),
    sslv2: Type.Boolean(),
    afterRetry: Type.Boolean(),
  },
  closed,
);

export const Tls = Type.Object(
  {
    legacyVersion: orNull(uint16),
    version: orNull(Type.String()),
    serverName: orNull(Type.String()),
    alpn: Type.Array(Type.String()),
    cipherSuites: Type.Array(uint16),
    extensions: Type.Array(uint16),
    supportedGroups: Type.Array(uint16),
    pointFormats: Type.Array(Type.Integer({ minimum: 0, maximum: 255 })),
    signatureAlgorithms: Type.Array(uint16),
    ech: Type.Boolean(),
    helloRetryRequest: Type.Optional(Type.Boolean()),
  },
  closed,
);

export const Fingerprints = Type.Object(
  {
    ja3: Type.Optional(md5),
    ja3Sha256: Type.Optional(sha256),
    ja3String: Type.Optional(Type.String()),
    ja4: Type.Optional(Type.String()),
    ja4r: Type.Optional(Type.String()),
    ja3s: Type.Optional(md5),
    ja3sString: Type.Optional(Type.String()),
  },
  closed,
);

export const Handshake = Type.Object(
  {
    seq: Type.Integer({ minimum: 0 }),
    time: Type.String({ description: 'RFC 3339, UTC, nanoseconds: when the first byte of the hello was seen' }),
    bootTimeNs: orNull(decimal),
    kind: Type.Enum(['client', 'server']),
    role: orNull(Type.Enum(['client', 'server'])),
    transport: Type.Enum(['tcp', 'quic', 'dtls']),
    flow: Flow,
    process: orNull(HandshakeProcess),
    hello: Hello,
    tls: orNull(Tls),
    fingerprints: orNull(Fingerprints),
    kernel: orNull(Type.Object({ ja3: Type.Optional(md5), ja3Sha256: Type.Optional(sha256) }, closed)),
    error: orNull(Type.String({ description: 'what could not be read of the hello, and where' })),
  },
  closed,
);

export type Handshake = Static<typeof Handshake>;
