import { Extension, readAlpn, readList16, readPointFormats } from './extensions.js';
import { HandshakeType, readHello, type Parsed } from './handshake.js';
import type { Reader } from './reader.js';

/** A ServerHello or HelloRetryRequest as it lies on the wire (RFC 8446, sections 4.1.3 and 4.1.4). */
export interface ServerHello {
  legacyVersion: number;
  /** View into the message; shorter than 32 bytes where the message ends in it. */
  random: Uint8Array;
  sessionId: Uint8Array;
  /** Null where the message ends before it. */
  cipherSuite: number | null;
  /** Extension types, in wire order. */
  extensions: number[];
  /** What supported_versions selects; null where it is absent. */
  selectedVersion: number | null;
  alpn: string[];
  supportedGroups: number[];
  pointFormats: number[];
  /** The group of key_share, which a HelloRetryRequest asks for and a ServerHello answers in; null where it is absent. */
  keyShareGroup: number | null;
  helloRetryRequest: boolean;
  /** True where the message is whole and every length outside the extension bodies held. */
  intact: boolean;
}

/** Whether the random at `at` marks a HelloRetryRequest (RFC 8446, section 4.1.3: SHA-256 of "HelloRetryRequest"). */
export function isRetryRandom(bytes: Uint8Array, at = 0): boolean {
  if (bytes.length < at + RETRY_RANDOM.length) return false;
  for (let index = 0; index < RETRY_RANDOM.length; index++) {
    if (bytes[at + index] !== RETRY_RANDOM[index]) return false;
  }
  return true;
}

/** Parses a whole ServerHello message; never throws. What is missing stays empty, and `error` names the first fault. */
export function parseServerHello(message: Uint8Array, dtls = false): Parsed<ServerHello> {
  return readHello(message, HandshakeType.serverHello, dtls, readServerHello);
}

function readServerHello(body: Reader): ServerHello {
  const legacyVersion = body.u16('server_hello.legacy_version');
  const random = body.view('server_hello.random', 32);
  const hello: ServerHello = {
    legacyVersion,
    random,
    sessionId: new Uint8Array(0),
    cipherSuite: null,
    extensions: [],
    selectedVersion: null,
    alpn: [],
    supportedGroups: [],
    pointFormats: [],
    keyShareGroup: null,
    helloRetryRequest: isRetryRandom(random),
    intact: false,
  };
  const draft = isDraftLayout(legacyVersion);
  if (!draft) hello.sessionId = body.view('server_hello.session_id', body.u8('server_hello.session_id'));
  hello.cipherSuite = readNumber16(body, 'server_hello.cipher_suite');
  if (!draft) body.u8('server_hello.compression_method');
  if (body.failed || body.left === 0) {
    hello.intact = !body.failed;
    return hello;
  }
  const whole = readExtensions(body.vector16('server_hello.extensions'), hello);
  hello.intact = whole && !body.failed;
  body.expectEnd('server_hello');
  return hello;
}

/** Up to draft 21 of TLS 1.3 a ServerHello had its real version first, no session id and no compression method. */
function isDraftLayout(legacyVersion: number): boolean {
  return legacyVersion >> 8 === 0x7f;
}

function readExtensions(list: Reader, hello: ServerHello): boolean {
  while (list.left > 0) {
    const type = list.u16('server_hello.extension.type');
    if (list.failed) return false;
    hello.extensions.push(type);
    readExtension(type, list.vector16('server_hello.extension.length'), hello);
  }
  return !list.failed;
}

function readExtension(type: number, body: Reader, hello: ServerHello): void {
  switch (type) {
    case Extension.supportedVersions:
      hello.selectedVersion ??= readNumber16(body, 'supported_versions');
      body.expectEnd('supported_versions');
      return;
    case Extension.alpn:
      if (hello.alpn.length === 0) hello.alpn = readAlpn(body);
      return;
    case Extension.supportedGroups:
      if (hello.supportedGroups.length === 0) hello.supportedGroups = readList16(body, 'supported_groups');
      return;
    case Extension.ecPointFormats:
      if (hello.pointFormats.length === 0) hello.pointFormats = readPointFormats(body);
      return;
    case Extension.keyShare:
      hello.keyShareGroup ??= readNumber16(body, 'key_share.group');
      return;
  }
}

function readNumber16(body: Reader, field: string): number | null {
  const value = body.u16(field);
  return body.failed ? null : value;
}

const RETRY_RANDOM = Uint8Array.from([
  0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2, 0xa2, 0x11,
  0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
]);
