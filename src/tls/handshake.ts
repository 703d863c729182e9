import { Faults, Reader } from './reader.js';

/** Handshake message types that matter here (RFC 8446, section 4; RFC 6347, section 4.3.2). */
export const HandshakeType = {
  helloRequest: 0,
  clientHello: 1,
  serverHello: 2,
  helloVerifyRequest: 3,
} as const;

/** type and 24-bit length (RFC 8446, section 4). */
export const HANDSHAKE_HEADER_LENGTH = 4;
/** The above with message_seq, fragment_offset and fragment_length (RFC 6347, section 4.2.2). */
export const DTLS_HANDSHAKE_HEADER_LENGTH = 12;
/** Longest hello that is put together; the protocol allows 16 MiB, and no known client sends a tenth of this. */
export const MAX_HELLO_LENGTH = 128 * 1024;

export type HelloKind = 'client' | 'server';

/** Which hello a handshake message of this type is; null for every other message. */
export function helloKind(type: number): HelloKind | null {
  if (type === HandshakeType.clientHello) return 'client';
  return type === HandshakeType.serverHello ? 'server' : null;
}

/** What the header of a handshake message says, and a reader of its body. */
export interface HandshakeMessage {
  readonly type: number;
  readonly body: Reader;
  /** False where the message is shorter than its header says. */
  readonly whole: boolean;
}

/**
 * Reads the header of a handshake message that lies alone in `message`.
 * Over DTLS the message has the longer header, as if it had been sent in one fragment (RFC 6347, section 4.2.6).
 */
export function readHandshake(message: Uint8Array, faults: Faults, dtls: boolean): HandshakeMessage {
  const reader = new Reader(message, faults);
  const type = reader.u8('handshake.type');
  const length = reader.u24('handshake.length');
  if (dtls) readFragmentHeader(reader, length);
  const header = reader.position;
  if (reader.failed) return { type, body: reader, whole: false };
  const body = reader.nested('handshake.body', Math.min(length, message.length - header));
  if (header + length < message.length) {
    faults.note('handshake', header + length, `${message.length - header - length} bytes left over`);
  }
  return { type, body, whole: header + length <= message.length };
}

/** Notes a message that is shorter than its header says. Called last, so that a more telling fault comes first. */
export function noteMissing(message: Uint8Array, faults: Faults, dtls: boolean): void {
  if (message.length < HANDSHAKE_HEADER_LENGTH) return;
  const header = dtls ? DTLS_HANDSHAKE_HEADER_LENGTH : HANDSHAKE_HEADER_LENGTH;
  const length = ((message[1] ?? 0) << 16) | ((message[2] ?? 0) << 8) | (message[3] ?? 0);
  if (header + length <= message.length) return;
  faults.note(
    'handshake.body',
    message.length,
    `${length} bytes expected, ${Math.max(0, message.length - header)} there`,
  );
}

function readFragmentHeader(reader: Reader, length: number): void {
  reader.u16('handshake.message_seq');
  const offset = reader.u24('handshake.fragment_offset');
  const fragment = reader.u24('handshake.fragment_length');
  if (!reader.failed && (offset !== 0 || fragment !== length)) {
    reader.faults.note('handshake.fragment_offset', 6, 'a fragment, not a whole message');
  }
}
