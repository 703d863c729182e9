/** The record layer: where a TLS record starts, what it holds and how long it is (RFC 8446, section 5.1). */
import { HANDSHAKE_HEADER_LENGTH, helloKind, MAX_HELLO_LENGTH } from './handshake.js';

export const ContentType = { changeCipherSpec: 20, alert: 21, handshake: 22, applicationData: 23 } as const;

/** type, version and 16-bit length. */
export const RECORD_HEADER_LENGTH = 5;
/** 2^14 and what encryption may add in TLS 1.2 (RFC 5246, section 6.2.3). */
export const MAX_FRAGMENT_LENGTH = 16384 + 2048;

/** Whether the bytes from `at`, as far as they go, can be the header of a TLS record. */
export function canStartRecord(bytes: Uint8Array, at: number): boolean {
  const left = bytes.length - at;
  const type = bytes[at] ?? 0;
  if (left >= 1 && (type < ContentType.changeCipherSpec || type > ContentType.applicationData)) return false;
  if (left >= 2 && bytes[at + 1] !== 3) return false;
  if (left >= 3 && (bytes[at + 2] ?? 0) > 4) return false;
  if (left >= RECORD_HEADER_LENGTH && fragmentLength(bytes, at) > MAX_FRAGMENT_LENGTH) return false;
  return true;
}

/** The length of the fragment behind a record header of which all five bytes are there. */
export function fragmentLength(bytes: Uint8Array, at: number): number {
  return ((bytes[at + 3] ?? 0) << 8) | (bytes[at + 4] ?? 0);
}

export type Verdict = 'yes' | 'no' | 'unknown';

/**
 * Whether a record with a hello starts at `at`; `unknown` where there are too few bytes to tell.
 *
 * `strict` is for a place where anything may stand: it also wants a length that a hello can have and a version that a hello can
 * carry, and so takes eleven bytes that fit. At the very start of a stream, or where one record ends and the next begins, type
 * and version of the record say enough, and a malformed hello is kept as evidence instead of being passed over.
 */
export function startsHello(bytes: Uint8Array, at: number, strict: boolean): Verdict {
  if (!canStartRecord(bytes, at)) return 'no';
  const left = bytes.length - at;
  if (left >= 1 && bytes[at] !== ContentType.handshake) return 'no';
  if (left < RECORD_HEADER_LENGTH) return 'unknown';
  const fragment = fragmentLength(bytes, at);
  if (fragment === 0) return 'no';
  const body = at + RECORD_HEADER_LENGTH;
  if (left < RECORD_HEADER_LENGTH + 1) return 'unknown';
  if (helloKind(bytes[body] ?? 0) === null) return 'no';
  return strict ? looksLikeHello(bytes, body, fragment) : 'yes';
}

function looksLikeHello(bytes: Uint8Array, body: number, fragment: number): Verdict {
  const left = Math.min(bytes.length - body, fragment);
  if (left >= HANDSHAKE_HEADER_LENGTH) {
    const length = ((bytes[body + 1] ?? 0) << 16) | ((bytes[body + 2] ?? 0) << 8) | (bytes[body + 3] ?? 0);
    if (length < MIN_HELLO_LENGTH || length > MAX_HELLO_LENGTH - HANDSHAKE_HEADER_LENGTH) return 'no';
  }
  // Drafts of TLS 1.3 have a ServerHello that starts with 0x7f.
  const major = bytes[body + HANDSHAKE_HEADER_LENGTH] ?? 0;
  if (left > HANDSHAKE_HEADER_LENGTH && major !== 3 && major !== 0x7f) return 'no';
  if (left > HANDSHAKE_HEADER_LENGTH + 1) return 'yes';
  // A record too short to show the version: only a fragmented hello has one, so that alone speaks for it.
  return left === fragment ? 'yes' : 'unknown';
}

/** version, random, an empty session id, and a cipher suite: nothing shorter is a hello of either side. */
const MIN_HELLO_LENGTH = 2 + 32 + 1 + 2;
