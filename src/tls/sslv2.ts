/**
 * The SSL 2.0 CLIENT-HELLO, also in the form by which later versions were offered (RFC 5246, appendix E.2). A message here
 * keeps its two-byte record header: it is the only place that says how long the message is.
 */
import type { Parsed } from './handshake.js';
import { Faults, Reader } from './reader.js';

export interface Sslv2ClientHello {
  /** The highest version offered: 0x0002, or 0x0300 and above in the compatible form. */
  version: number;
  /** 24-bit cipher specs in wire order; those below 0x010000 are cipher suites of SSL 3.0 and TLS. */
  cipherSpecs: number[];
  sessionId: Uint8Array;
  challenge: Uint8Array;
  intact: boolean;
}

/** Record header, type, version and three lengths. */
export const SSLV2_PREFIX_LENGTH = 11;

/**
 * What `bytes` from `at` say: the length of the SSLv2 CLIENT-HELLO that starts there, record header included;
 * 0 where they cannot be one; null where there are too few bytes to tell.
 * Strict, because nothing else marks the format: every length must fit the others.
 */
export function sslv2HelloLength(bytes: Uint8Array, at = 0): number | null {
  const left = bytes.length - at;
  const byte = (index: number): number => bytes[at + index] ?? 0;
  if (left >= 1 && (byte(0) & 0x80) === 0) return 0;
  if (left >= 3 && byte(2) !== CLIENT_HELLO) return 0;
  if (left >= 4 && byte(3) !== 0 && byte(3) !== 3) return 0;
  if (left >= 5 && !isOfferedVersion((byte(3) << 8) | byte(4))) return 0;
  if (left < SSLV2_PREFIX_LENGTH) return null;
  const length = ((byte(0) & 0x7f) << 8) | byte(1);
  const ciphers = (byte(5) << 8) | byte(6);
  const session = (byte(7) << 8) | byte(8);
  const challenge = (byte(9) << 8) | byte(10);
  if (ciphers === 0 || ciphers % 3 !== 0 || (session !== 0 && session !== 16)) return 0;
  if (challenge < 16 || challenge > 32) return 0;
  return length === 9 + ciphers + session + challenge ? length + 2 : 0;
}

/** Parses a whole SSLv2 CLIENT-HELLO, record header included; never throws. */
export function parseSslv2ClientHello(message: Uint8Array): Parsed<Sslv2ClientHello> {
  const faults = new Faults();
  const hello = readSslv2ClientHello(new Reader(message, faults));
  return { hello: message.length < VERSION_END ? null : hello, error: faults.describe() };
}

function readSslv2ClientHello(message: Reader): Sslv2ClientHello {
  const header = message.u16('sslv2.length');
  const type = message.u8('sslv2.type');
  const typeAt = message.position - 1;
  const version = message.u16('sslv2.version');
  const ciphersLength = message.u16('sslv2.cipher_spec_length');
  const sessionLength = message.u16('sslv2.session_id_length');
  const challengeLength = message.u16('sslv2.challenge_length');
  const ciphers = message.nested('sslv2.cipher_specs', ciphersLength);
  const cipherSpecs: number[] = [];
  while (ciphers.left > 0) {
    const spec = ciphers.u24('sslv2.cipher_specs');
    if (!ciphers.failed) cipherSpecs.push(spec);
  }
  const sessionId = message.view('sslv2.session_id', sessionLength);
  const challenge = message.view('sslv2.challenge', challengeLength);
  if (!message.failed && type !== CLIENT_HELLO)
    message.faults.note('sslv2.type', typeAt, `${type} is not CLIENT-HELLO`);
  if (!message.failed && message.position !== (header & 0x7fff) + 2) {
    message.faults.note('sslv2.length', 0, `${header & 0x7fff} bytes announced, ${message.position - 2} used`);
  }
  message.expectEnd('sslv2');
  return { version, cipherSpecs, sessionId, challenge, intact: !message.failed && !ciphers.failed };
}

function isOfferedVersion(version: number): boolean {
  return version === 0x0002 || (version >= 0x0300 && version <= 0x0304);
}

const CLIENT_HELLO = 1;
/** Where the version ends, record header included. */
const VERSION_END = 5;
