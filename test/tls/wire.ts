/** Builds hellos byte by byte for tests, straight from RFC 8446 sections 4 and 5; it knows nothing of src/tls. */

export interface HelloSpec {
  legacyVersion?: number;
  random?: Uint8Array;
  sessionId?: Uint8Array;
  cipherSuites?: number[];
  /** Null leaves the extension block out. */
  extensions?: readonly (readonly [type: number, body: Uint8Array])[] | null;
}

export const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);
export const u16 = (value: number): Uint8Array => bytes(value >> 8, value & 0xff);
export const u24 = (value: number): Uint8Array => bytes(value >> 16, (value >> 8) & 0xff, value & 0xff);
export const ascii = (text: string): Uint8Array => Buffer.from(text, 'latin1');
export const concat = (...parts: readonly Uint8Array[]): Uint8Array => Uint8Array.from(Buffer.concat(parts));
export const vector8 = (body: Uint8Array): Uint8Array => concat(bytes(body.length), body);
export const vector16 = (body: Uint8Array): Uint8Array => concat(u16(body.length), body);
export const list16 = (values: readonly number[]): Uint8Array => concat(...values.map(u16));
export const fromHex = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex.replaceAll(/\s/g, ''), 'hex'));

export const RANDOM = Uint8Array.from({ length: 32 }, (_, index) => 0x40 + index);
export const RETRY_RANDOM = fromHex('cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c');

export const extension = {
  serverName: (name: string) => [0, vector16(concat(bytes(0), vector16(ascii(name))))] as const,
  groups: (values: readonly number[]) => [10, vector16(list16(values))] as const,
  pointFormats: (values: readonly number[]) => [11, vector8(bytes(...values))] as const,
  signatureAlgorithms: (values: readonly number[]) => [13, vector16(list16(values))] as const,
  alpn: (names: readonly string[]) => [16, vector16(concat(...names.map((name) => vector8(ascii(name)))))] as const,
  supportedVersions: (values: readonly number[]) => [43, vector8(list16(values))] as const,
  selectedVersion: (value: number) => [43, u16(value)] as const,
  empty: (type: number) => [type, bytes()] as const,
};

export function handshake(type: number, body: Uint8Array): Uint8Array {
  return concat(bytes(type), u24(body.length), body);
}

export function clientHello(spec: HelloSpec = {}): Uint8Array {
  return handshake(1, clientHelloBody(spec));
}

export function clientHelloBody(spec: HelloSpec = {}, cookie?: Uint8Array): Uint8Array {
  return concat(
    u16(spec.legacyVersion ?? 0x0303),
    spec.random ?? RANDOM,
    vector8(spec.sessionId ?? bytes()),
    cookie === undefined ? bytes() : vector8(cookie),
    vector16(list16(spec.cipherSuites ?? [0x1301, 0x1302])),
    bytes(1, 0),
    extensionBlock(spec.extensions ?? (spec.extensions === null ? null : [extension.supportedVersions([0x0304])])),
  );
}

export function serverHello(spec: HelloSpec = {}): Uint8Array {
  const body = concat(
    u16(spec.legacyVersion ?? 0x0303),
    spec.random ?? RANDOM,
    vector8(spec.sessionId ?? bytes()),
    u16(spec.cipherSuites?.[0] ?? 0x1301),
    bytes(0),
    extensionBlock(spec.extensions ?? (spec.extensions === null ? null : [extension.selectedVersion(0x0304)])),
  );
  return handshake(2, body);
}

export function record(type: number, fragment: Uint8Array, version = 0x0301): Uint8Array {
  return concat(bytes(type), u16(version), vector16(fragment));
}

/** A fragment of a handshake message with DTLS's header (RFC 6347, section 4.2.2). */
export function dtlsFragment(type: number, seq: number, body: Uint8Array, offset = 0, end = body.length): Uint8Array {
  return concat(bytes(type), u24(body.length), u16(seq), u24(offset), u24(end - offset), body.subarray(offset, end));
}

/** A record of DTLS 1.2 (RFC 6347, section 4.1). */
export function dtlsRecord(fragment: Uint8Array, { epoch = 0, type = 22 } = {}): Uint8Array {
  return concat(bytes(type), u16(0xfefd), u16(epoch), u16(0), u16(0), u16(7), vector16(fragment));
}

/** A handshake message in records of at most `size` bytes. */
export function records(message: Uint8Array, size = 16384): Uint8Array {
  return concat(...chunks(message, size).map((fragment) => record(22, fragment)));
}

export function chunks(message: Uint8Array, size: number): Uint8Array[] {
  const parts: Uint8Array[] = [];
  for (let at = 0; at < message.length; at += size) parts.push(message.subarray(at, at + size));
  return parts;
}

export const CHANGE_CIPHER_SPEC = record(20, bytes(1), 0x0303);

/** An SSLv2 CLIENT-HELLO with its record header (RFC 5246, appendix E.2). */
export function sslv2ClientHello(version = 0x0301, specs: readonly number[] = [0x010080, 0x00002f]): Uint8Array {
  const challenge = RANDOM.subarray(0, 16);
  const ciphers = concat(...specs.map(u24));
  const body = concat(bytes(1), u16(version), u16(ciphers.length), u16(0), u16(16), ciphers, challenge);
  return concat(u16(0x8000 | body.length), body);
}

function extensionBlock(extensions: HelloSpec['extensions'] | null): Uint8Array {
  if (extensions === null || extensions === undefined) return bytes();
  return vector16(concat(...extensions.map(([type, body]) => concat(u16(type), vector16(body)))));
}
