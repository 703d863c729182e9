/** The handshake layer: the header of a message, and how a hello in it is read. */
import { countBytes, Faults, Reader } from './reader.js';

/** Handshake message types that matter here (RFC 8446, section 4; RFC 6347, section 4.3.2). */
export const HandshakeType = { clientHello: 1, serverHello: 2, helloVerifyRequest: 3 } as const;

/** type and 24-bit length (RFC 8446, section 4). */
export const HANDSHAKE_HEADER_LENGTH = 4;
/** The above with message_seq, fragment_offset and fragment_length (RFC 6347, section 4.2.2). */
export const DTLS_HANDSHAKE_HEADER_LENGTH = 12;
/** Where the random lies in a TLS hello: behind type, length and version. */
export const RANDOM_OFFSET = HANDSHAKE_HEADER_LENGTH + 2;
/** Longest hello that is put together; the protocol allows 16 MiB, and no known client sends a tenth of this. */
export const MAX_HELLO_LENGTH = 128 * 1024;

export type HelloKind = 'client' | 'server';

/** Which hello a handshake message of this type is; null for every other message. */
export function helloKind(type: number): HelloKind | null {
  if (type === HandshakeType.clientHello) return 'client';
  return type === HandshakeType.serverHello ? 'server' : null;
}

/** What could be read of a message, null where it is not one or has no version yet; and the first fault, as text. */
export interface Parsed<T> {
  readonly hello: T | null;
  /** `FIELD at offset N: DETAIL`, N counted from the first byte of the message. */
  readonly error: string | null;
}

/**
 * Reads a message that should be of `type` and lie alone in `message`. Over DTLS it has the longer header, as if it had been sent
 * in one fragment (RFC 6347, section 4.2.6). `read` gets the body; its `intact` is cleared where the message is cut short.
 */
export function readHello<T extends { intact: boolean }>(
  message: Uint8Array,
  type: number,
  dtls: boolean,
  read: (body: Reader, dtls: boolean) => T,
): Parsed<T> {
  const faults = new Faults();
  const reader = new Reader(message, faults);
  const actual = reader.u8('handshake.type');
  const length = reader.u24('handshake.length');
  if (!reader.failed && actual !== type) faults.note('handshake.type', 0, `${actual}, not ${type}`);
  if (dtls) readFragmentHeader(reader, length);
  if (faults.first !== null) return { hello: null, error: faults.describe() };

  const start = reader.position;
  const end = start + length;
  const hello = read(new Reader(message, faults, start, Math.min(end, message.length)), dtls);
  if (end > message.length) {
    hello.intact = false;
    faults.note('handshake.body', message.length, `${end - message.length} of ${length} bytes are missing`);
  } else if (end < message.length) faults.note('handshake', end, `${countBytes(message.length - end)} left over`);
  const hasVersion = Math.min(end, message.length) >= start + 2;
  return { hello: hasVersion ? hello : null, error: faults.describe() };
}

function readFragmentHeader(reader: Reader, length: number): void {
  reader.u16('handshake.message_seq');
  const offset = reader.u24('handshake.fragment_offset');
  const fragment = reader.u24('handshake.fragment_length');
  if (!reader.failed && (offset !== 0 || fragment !== length)) {
    reader.faults.note('handshake.fragment_offset', 6, 'a fragment, not a whole message');
  }
}
