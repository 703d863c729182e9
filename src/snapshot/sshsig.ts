import { createHash } from 'node:crypto';
import type { Signer } from './signer.js';
import { parsePublicKey, type SshPublicKey, verifySignature } from './ssh-key.js';
import { SshReader, sshString } from './ssh-wire.js';

/**
 * SSHSIG, OpenSSH's signatures of files (PROTOCOL.sshsig, version 1), armored. Written with SHA-512; read with SHA-512
 * and SHA-256. `ssh-keygen -Y verify` takes what is written here, and what `ssh-keygen -Y sign` writes is read.
 */
export const NAMESPACE = 'tlsnap';

export interface Sshsig {
  readonly publicKey: SshPublicKey;
  readonly namespace: string;
  readonly hash: 'sha256' | 'sha512';
  readonly signature: Buffer;
}

/** Signs `message`; returns the armored signature with a newline at its end. */
export async function signSshsig(signer: Signer, message: Uint8Array, namespace: string): Promise<string> {
  const signature = await signer.sign(signedData(message, namespace, 'sha512'));
  return armor(
    Buffer.concat([
      MAGIC,
      VERSION,
      sshString(signer.publicKey),
      sshString(namespace),
      sshString(''),
      sshString('sha512'),
      sshString(signature),
    ]),
  );
}

/** Reads an armored signature. Throws a RangeError that says what is wrong with it. */
export function parseSshsig(armored: string): Sshsig {
  const reader = new SshReader(unarmor(armored));
  if (!reader.raw('the magic', MAGIC.length).equals(MAGIC)) throw new RangeError('the magic is not SSHSIG');
  const version = reader.uint32('the version');
  if (version !== 1) throw new RangeError(`version ${version} is not supported`);
  const publicKey = parsePublicKey(reader.string('the public key'));
  const namespace = reader.text('the namespace');
  if (reader.string('the reserved field').length > 0) throw new RangeError('the reserved field is not empty');
  const hash = reader.text('the hash algorithm');
  if (hash !== 'sha512' && hash !== 'sha256') throw new RangeError(`hash algorithm ${hash} is not accepted`);
  const signature = reader.string('the signature');
  reader.end('the signature');
  return { publicKey, namespace, hash, signature };
}

/** Whether the signature is one over `message` in `namespace`, by the key inside of it. Whose key that is, is not said. */
export function verifySshsig(sshsig: Sshsig, message: Uint8Array, namespace: string): boolean {
  if (sshsig.namespace !== namespace) return false;
  return verifySignature(sshsig.publicKey, signedData(message, namespace, sshsig.hash), sshsig.signature);
}

function signedData(message: Uint8Array, namespace: string, hash: string): Buffer {
  return Buffer.concat([
    MAGIC,
    sshString(namespace),
    sshString(''),
    sshString(hash),
    sshString(createHash(hash).update(message).digest()),
  ]);
}

function armor(blob: Buffer): string {
  const lines = blob.toString('base64').match(/.{1,70}/g) ?? [];
  return [BEGIN, ...lines, END, ''].join('\n');
}

/** The armor has one form, the one above: anything else might hide a second reading. */
function unarmor(armored: string): Buffer {
  const body = armored.startsWith(`${BEGIN}\n`) && armored.endsWith(`\n${END}\n`);
  if (!body) throw new RangeError('not an armored SSH signature');
  const blob = Buffer.from(armored.slice(BEGIN.length, -END.length - 1).replaceAll('\n', ''), 'base64');
  if (armor(blob) !== armored) throw new RangeError('the armor is not as ssh-keygen writes it');
  return blob;
}

const MAGIC = Buffer.from('SSHSIG');
const VERSION = Buffer.from([0, 0, 0, 1]);
const BEGIN = '-----BEGIN SSH SIGNATURE-----';
const END = '-----END SSH SIGNATURE-----';
