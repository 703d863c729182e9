import { canonicalLines } from './canonical-line.js';
import type { Places, RepeatedTail } from './repeated-tail.js';
import type { Excerpt } from './row-parser.js';
import { Handshake } from './schema/handshake.js';

/** A handshake without what the comparison with feeds does not read, above all without the lists of the hello. */
export interface HandshakeExcerpt extends Pick<Handshake, 'seq' | 'time' | 'kind' | 'transport' | 'flow'> {
  readonly process: Pick<NonNullable<Handshake['process']>, 'pid' | 'startTimeNs' | 'comm' | 'exe'> | null;
  readonly hello: Pick<Handshake['hello'], 'raw' | 'afterRetry'>;
  readonly tls: Pick<NonNullable<Handshake['tls']>, 'serverName'> | null;
  readonly fingerprints:
    | {
        readonly [Name in keyof NonNullable<Handshake['fingerprints']>]?: string | undefined;
      }
    | null;
}

/** Takes nearly all lines that tlsnap writes, for half of what it costs to parse and check them. */
export function handshakeExcerpt(): Excerpt<HandshakeExcerpt> {
  const places = [...PLACES, ...TAIL_PLACES];
  const ofTail = (texts: Places) => fingerprintsOf(texts.slice(1 + PLACES.length));
  const lines = canonicalLines(Handshake, places, HANDSHAKE_TAIL, ofTail);
  return (bytes, start, end, encoding) => {
    const line = lines.read(bytes, start, end, encoding);
    return line && excerptOf(line.places as Texts, line.made);
  };
}

/** Behind the server name nothing but the client makes a difference. */
export const HANDSHAKE_TAIL: RepeatedTail = {
  marker: '"alpn":[',
  place: '/tls/alpn',
};

function excerptOf(
  [
    ,
    seq,
    time,
    kind,
    transport,
    src,
    srcPort,
    dst,
    dstPort,
    netns = null,
    cookie = null,
    process,
    pid = null,
    startTimeNs = null,
    comm = null,
    exe = null,
    raw,
    afterRetry,
    tls,
    serverName = null,
  ]: Texts,
  fingerprints: HandshakeExcerpt['fingerprints'],
): HandshakeExcerpt {
  const number = (text: string | null) => (text === null ? null : Number(text));
  return {
    seq: Number(seq),
    time,
    kind,
    transport,
    flow: { src, srcPort: Number(srcPort), dst, dstPort: Number(dstPort), netns: number(netns), cookie },
    process: process === undefined ? null : { pid: number(pid), startTimeNs, comm, exe },
    hello: { raw, afterRetry: afterRetry === 'true' },
    tls: tls === undefined ? null : { serverName },
    fingerprints,
  };
}

/** Made once for all lines with a tail. */
function fingerprintsOf([
  fingerprints,
  ja3,
  ja3Sha256,
  ja3String,
  ja4,
  ja4r,
  ja3s,
  ja3sString,
]: Places): HandshakeExcerpt['fingerprints'] {
  return fingerprints === undefined ? null : { ja3, ja3Sha256, ja3String, ja4, ja4r, ja3s, ja3sString };
}

/** Where the place is null there is no text. */
type Nullable = string | null | undefined;
type Absent = string | undefined;

/** The line or its head, then the texts at PLACES. */
type Texts = readonly [
  ...[line: string, seq: string, time: string, kind: Handshake['kind'], transport: Handshake['transport']],
  ...[src: string, srcPort: string, dst: string, dstPort: string, netns: Nullable, cookie: Nullable],
  ...[process: Absent, pid: Nullable, startTimeNs: Nullable, comm: Nullable, exe: Nullable],
  ...[raw: string, afterRetry: string, tls: Absent, serverName: Nullable],
];

const PLACES = [
  ...['/seq', '/time', '/kind', '/transport'],
  ...['/flow/src', '/flow/srcPort', '/flow/dst', '/flow/dstPort', '/flow/netns', '/flow/cookie'],
  ...['/process', '/process/pid', '/process/startTimeNs', '/process/comm', '/process/exe'],
  ...['/hello/raw', '/hello/afterRetry', '/tls', '/tls/serverName'],
];

const TAIL_PLACES = [
  ...['/fingerprints', '/fingerprints/ja3', '/fingerprints/ja3Sha256', '/fingerprints/ja3String', '/fingerprints/ja4'],
  ...['/fingerprints/ja4r', '/fingerprints/ja3s', '/fingerprints/ja3sString'],
];
