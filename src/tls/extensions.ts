/**
 * Bodies of the hello extensions that matter for fingerprints and for people. A body that is not what its specification says
 * yields what could be read of it; the fault is noted, and its neighbours are read all the same.
 */
import type { Reader } from './reader.js';

/** Extension code points (IANA "TLS ExtensionType Values"). */
export const Extension = {
  serverName: 0,
  supportedGroups: 10,
  ecPointFormats: 11,
  signatureAlgorithms: 13,
  alpn: 16,
  padding: 21,
  sessionTicket: 35,
  preSharedKey: 41,
  supportedVersions: 43,
  keyShare: 51,
  encryptedClientHello: 0xfe0d,
} as const;

/** The outer form of encrypted_client_hello (RFC 9849, section 5); GREASE ECH looks the same, on purpose. */
export interface EncryptedClientHello {
  readonly kdf: number;
  readonly aead: number;
  readonly configId: number;
  /** Length in bytes of the encapsulated key; 0 in the hello after a HelloRetryRequest. */
  readonly encLength: number;
  readonly payloadLength: number;
}

/** The first host_name of server_name (RFC 6066, section 3), each byte one character; null where there is none. */
export function readServerName(body: Reader): string | null {
  const list = body.vector16('server_name.list');
  let name: string | null = null;
  while (list.left > 0) {
    const type = list.u8('server_name.type');
    const entry = list.vector16('server_name.name');
    const nothing = list.failed && entry.left === 0;
    if (type === HOST_NAME && name === null && !nothing) name = entry.latin1();
  }
  body.expectEnd('server_name');
  return name;
}

/** Protocol names of application_layer_protocol_negotiation (RFC 7301, section 3.1), each byte one character. */
export function readAlpn(body: Reader): string[] {
  const list = body.vector16('alpn.list');
  const names: string[] = [];
  while (list.left > 0) names.push(list.vector8('alpn.name').latin1());
  body.expectEnd('alpn');
  return names;
}

/** A list of 16-bit numbers behind a 16-bit length: supported_groups, signature_algorithms. */
export function readList16(body: Reader, field: string): number[] {
  const values = body.vector16(field).u16s(field);
  body.expectEnd(field);
  return values;
}

/** supported_versions of a ClientHello (RFC 8446, section 4.2.1). */
export function readSupportedVersions(body: Reader): number[] {
  const values = body.vector8('supported_versions').u16s('supported_versions');
  body.expectEnd('supported_versions');
  return values;
}

/** ec_point_formats (RFC 8422, section 5.1.2). */
export function readPointFormats(body: Reader): number[] {
  const values = body.vector8('ec_point_formats').u8s();
  body.expectEnd('ec_point_formats');
  return values;
}

/** encrypted_client_hello; null for the inner form, which never travels in the clear, and for what is too short to tell. */
export function readEncryptedClientHello(body: Reader): EncryptedClientHello | null {
  const type = body.u8('encrypted_client_hello.type');
  if (type !== ECH_OUTER) {
    if (!body.failed) {
      body.faults.note('encrypted_client_hello.type', body.position - 1, `${type} is not the outer form`);
    }
    return null;
  }
  const kdf = body.u16('encrypted_client_hello.kdf_id');
  const aead = body.u16('encrypted_client_hello.aead_id');
  const configId = body.u8('encrypted_client_hello.config_id');
  const encLength = body.vector16('encrypted_client_hello.enc').left;
  const payloadLength = body.vector16('encrypted_client_hello.payload').left;
  body.expectEnd('encrypted_client_hello');
  return body.failed ? null : { kdf, aead, configId, encLength, payloadLength };
}

const HOST_NAME = 0;
const ECH_OUTER = 0;
