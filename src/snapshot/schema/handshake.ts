import { Type, type Static } from 'typebox';
import { base64, closed, count, decimal, md5, orNull, sha256, time, uint16, uint32, uint8 } from './fields.js';

export const Sender = Type.Object(
  {
    pid: uint32,
    tid: uint32,
    startTimeNs: decimal,
    uid: uint32,
    gid: uint32,
    comm: Type.String(),
    commRaw: Type.Optional(base64),
  },
  { ...closed, description: 'the process that sent the hello, where it is not the one that connected' },
);

export const HandshakeProcess = Type.Object(
  {
    pid: orNull(Type.Integer({ ...uint32, description: 'null, as all that follows, where attribution is none' })),
    tid: orNull(uint32),
    startTimeNs: orNull(decimal),
    ppid: orNull(uint32),
    uid: orNull(uint32),
    gid: orNull(uint32),
    comm: orNull(Type.String({ description: "the process's name: that of its first thread" })),
    commRaw: Type.Optional(base64),
    threadComm: orNull(Type.String({ description: 'the name of the acting thread, where it is another one' })),
    exe: orNull(Type.String({ description: 'a path too long for the kernel\'s record is its end behind ".../"' })),
    exeRaw: Type.Optional(base64),
    cgroup: orNull(Type.String()),
    container: orNull(Type.String({ description: 'container id' })),
    attribution: Type.Enum(['connect', 'send', 'accept', 'inode', 'none']),
    sender: orNull(Sender),
  },
  { ...closed, description: 'text that is not valid UTF-8 has its bytes beside it, in a field named ...Raw' },
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
    segments: count,
    records: count,
    streamOffset: orNull(count),
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
    pointFormats: Type.Array(uint8),
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

/** One line of `handshakes.ndjson`: one hello as one end of a connection on this host saw it. */
export const Handshake = Type.Object(
  {
    seq: count,
    time: Type.String({
      ...time,
      description:
        'RFC 3339, UTC, nanoseconds: when the hello began; live, when enough of it was there to tell it for one',
    }),
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
