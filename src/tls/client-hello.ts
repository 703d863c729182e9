import {
  Extension,
  readAlpn,
  readEncryptedClientHello,
  readList16,
  readPointFormats,
  readServerName,
  readSupportedVersions,
  type EncryptedClientHello,
} from './extensions.js';
import { HandshakeType, readHello, type Parsed } from './handshake.js';
import type { Reader } from './reader.js';

/** A ClientHello as it lies on the wire, in wire order and with GREASE (RFC 8446, section 4.1.2; RFC 6347, section 4.2.1). */
export interface ClientHello {
  legacyVersion: number;
  /** View into the message; shorter than 32 bytes where the message ends in it. */
  random: Uint8Array;
  sessionId: Uint8Array;
  cipherSuites: number[];
  compressionMethods: number[];
  /** Extension types. */
  extensions: number[];
  /** Each byte one character. */
  serverName: string | null;
  /** Each byte one character. */
  alpn: string[];
  supportedVersions: number[];
  supportedGroups: number[];
  pointFormats: number[];
  signatureAlgorithms: number[];
  encryptedClientHello: EncryptedClientHello | null;
  /**
   * True where the message is whole and every length outside the extension bodies held, so that no list is cut short.
   * Faults inside a body, odd lengths and bytes left over do not clear it.
   */
  intact: boolean;
}

/** Parses a whole ClientHello message; never throws. What is missing stays empty, and `error` names the first fault. */
export function parseClientHello(message: Uint8Array, dtls = false): Parsed<ClientHello> {
  return readHello(message, HandshakeType.clientHello, dtls, readClientHello);
}

function readClientHello(body: Reader, dtls: boolean): ClientHello {
  const hello: ClientHello = {
    legacyVersion: body.u16('client_hello.legacy_version'),
    random: body.view('client_hello.random', 32),
    sessionId: readOpaque8(body, 'client_hello.session_id'),
    cipherSuites: [],
    compressionMethods: [],
    extensions: [],
    serverName: null,
    alpn: [],
    supportedVersions: [],
    supportedGroups: [],
    pointFormats: [],
    signatureAlgorithms: [],
    encryptedClientHello: null,
    intact: false,
  };
  if (dtls) body.vector8('client_hello.cookie');
  hello.cipherSuites = body.vector16('client_hello.cipher_suites').u16s('client_hello.cipher_suites');
  hello.compressionMethods = body.vector8('client_hello.compression_methods').u8s();
  // A hello without the extension block ends here: TLS 1.2 and before (RFC 5246, section 7.4.1.2).
  if (body.failed || body.left === 0) {
    hello.intact = !body.failed;
    return hello;
  }
  const extensions = body.vector16('client_hello.extensions');
  const whole = readExtensions(extensions, hello);
  hello.intact = whole && !body.failed;
  body.expectEnd('client_hello');
  return hello;
}

function readExtensions(list: Reader, hello: ClientHello): boolean {
  while (list.left > 0) {
    const type = list.u16('client_hello.extension.type');
    if (list.failed) return false;
    hello.extensions.push(type);
    readExtension(type, list.vector16('client_hello.extension.length'), hello);
  }
  return !list.failed;
}

/** Of an extension that comes twice, which RFC 8446 section 4.2 forbids, the first that says anything counts. */
function readExtension(type: number, body: Reader, hello: ClientHello): void {
  switch (type) {
    case Extension.serverName:
      hello.serverName ??= readServerName(body);
      return;
    case Extension.supportedGroups:
      if (hello.supportedGroups.length === 0) hello.supportedGroups = readList16(body, 'supported_groups');
      return;
    case Extension.ecPointFormats:
      if (hello.pointFormats.length === 0) hello.pointFormats = readPointFormats(body);
      return;
    case Extension.signatureAlgorithms:
      if (hello.signatureAlgorithms.length === 0) hello.signatureAlgorithms = readList16(body, 'signature_algorithms');
      return;
    case Extension.alpn:
      if (hello.alpn.length === 0) hello.alpn = readAlpn(body);
      return;
    case Extension.supportedVersions:
      if (hello.supportedVersions.length === 0) hello.supportedVersions = readSupportedVersions(body);
      return;
    case Extension.encryptedClientHello:
      hello.encryptedClientHello ??= readEncryptedClientHello(body);
      return;
  }
}

function readOpaque8(body: Reader, field: string): Uint8Array {
  return body.view(field, body.u8(field));
}
