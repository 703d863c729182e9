import { createHash, createPublicKey, type KeyObject, verify } from 'node:crypto';
import { SshReader, sshMpint, sshString } from './ssh-wire.js';

/**
 * Public keys and signatures in SSH wire form: ssh-ed25519 (RFC 8709), ecdsa-sha2-nistp256, 384, 521 (RFC 5656) and
 * ssh-rsa with rsa-sha2-256 and rsa-sha2-512 (RFC 8332). SHA-1 signatures, DSA, certificates and security-key (sk-)
 * types are not supported.
 */
export interface SshPublicKey {
  readonly type: string;
  readonly blob: Buffer;
  readonly key: KeyObject;
}

/** Reads a public key's blob. Throws a RangeError that says what is wrong with it. */
export function parsePublicKey(blob: Buffer): SshPublicKey {
  const reader = new SshReader(blob);
  const type = reader.text('the key type');
  const jwk = readJwk(type, reader);
  reader.end('the public key');
  try {
    return { type, blob, key: createPublicKey({ key: jwk, format: 'jwk' }) };
  } catch {
    throw new RangeError(`the ${type} key is not a valid one`);
  }
}

/** Whether `signature` (SSH wire form) over `data` is one by `key`. Throws a RangeError where it is malformed. */
export function verifySignature(key: SshPublicKey, data: Buffer, signature: Buffer): boolean {
  const reader = new SshReader(signature);
  const algorithm = reader.text('the signature algorithm');
  const bytes = reader.string('the signature');
  reader.end('the signature');
  const curve = CURVES[key.type];
  if (key.type === RSA) {
    const hash = RSA_HASHES[algorithm];
    if (!hash) throw new RangeError(`signature algorithm ${algorithm} is not accepted for an RSA key`);
    return verify(hash, data, key.key, bytes);
  }
  if (algorithm !== key.type) throw new RangeError(`signature algorithm ${algorithm} does not fit a ${key.type} key`);
  if (!curve) return verify(null, data, key.key, bytes);
  const pair = new SshReader(bytes);
  const [r, s] = [pair.mpint('the signature r'), pair.mpint('the signature s')];
  pair.end('the signature');
  if (r.length > curve.bytes || s.length > curve.bytes) return false;
  const fixed = Buffer.concat([padded(r, curve.bytes), padded(s, curve.bytes)]);
  return verify(curve.hash, data, { key: key.key, dsaEncoding: 'ieee-p1363' }, fixed);
}

/** The hash that goes with a key of this type, for `crypto.sign`; null where the algorithm brings its own. */
export function signingHash(type: string): { hash: string | null; algorithm: string } | undefined {
  if (type === 'ssh-ed25519') return { hash: null, algorithm: type };
  if (type === RSA) return { hash: 'sha512', algorithm: 'rsa-sha2-512' };
  const curve = CURVES[type];
  return curve && { hash: curve.hash, algorithm: type };
}

/** An IEEE P1363 signature (what `dsaEncoding: 'ieee-p1363'` gives) as RFC 5656 section 3.1.2 has it. */
export function ecdsaBlob(fixed: Buffer): Buffer {
  const half = fixed.length / 2;
  return Buffer.concat([sshMpint(fixed.subarray(0, half)), sshMpint(fixed.subarray(half))]);
}

/** The blob of a raw 32-byte Ed25519 public key. */
export function ed25519Blob(raw: Buffer): Buffer {
  return Buffer.concat([sshString('ssh-ed25519'), sshString(raw)]);
}

/** The type that a key's blob starts with. Throws a RangeError where there is none. */
export function keyTypeOf(blob: Buffer): string {
  return new SshReader(blob).text('the key type');
}

/** `SHA256:...`, as `ssh-keygen -l` prints it. */
export function fingerprintOf(blob: Buffer): string {
  return `SHA256:${createHash('sha256').update(blob).digest('base64').replace(/=+$/, '')}`;
}

/** `type base64`, the line of a .pub file without a comment. */
export function publicKeyLine(blob: Buffer): string {
  return `${keyTypeOf(blob)} ${blob.toString('base64')}`;
}

function readJwk(type: string, reader: SshReader): Record<string, string> {
  const curve = CURVES[type];
  if (type === 'ssh-ed25519') {
    const x = reader.string('the Ed25519 key');
    if (x.length !== 32) throw new RangeError(`the Ed25519 key has ${x.length} bytes, not 32`);
    return { kty: 'OKP', crv: 'Ed25519', x: x.toString('base64url') };
  }
  if (type === RSA) {
    const e = reader.mpint('the RSA exponent');
    const n = reader.mpint('the RSA modulus');
    if (n.length < 256 || n.length > 2048) throw new RangeError(`an RSA key of ${n.length * 8} bits is not accepted`);
    return { kty: 'RSA', n: n.toString('base64url'), e: e.toString('base64url') };
  }
  if (!curve) throw new RangeError(`key type ${JSON.stringify(type)} is not supported`);
  if (reader.text('the curve') !== curve.ssh) throw new RangeError('the curve does not fit the key type');
  const point = reader.string('the point');
  if (point.length !== 1 + 2 * curve.bytes || point[0] !== 4)
    throw new RangeError('the point is not an uncompressed one');
  return {
    kty: 'EC',
    crv: curve.jwk,
    x: point.subarray(1, 1 + curve.bytes).toString('base64url'),
    y: point.subarray(1 + curve.bytes).toString('base64url'),
  };
}

function padded(bytes: Buffer, length: number): Buffer {
  return Buffer.concat([Buffer.alloc(length - bytes.length), bytes]);
}

const RSA = 'ssh-rsa';
const RSA_HASHES: Record<string, string | undefined> = { 'rsa-sha2-256': 'sha256', 'rsa-sha2-512': 'sha512' };
const CURVES: Record<string, { ssh: string; jwk: string; bytes: number; hash: string } | undefined> = {
  'ecdsa-sha2-nistp256': { ssh: 'nistp256', jwk: 'P-256', bytes: 32, hash: 'sha256' },
  'ecdsa-sha2-nistp384': { ssh: 'nistp384', jwk: 'P-384', bytes: 48, hash: 'sha384' },
  'ecdsa-sha2-nistp521': { ssh: 'nistp521', jwk: 'P-521', bytes: 66, hash: 'sha512' },
};
