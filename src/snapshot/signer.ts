import { createPrivateKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { ioError, TlsnapError } from '../errors.js';
import { openAgent } from './agent.js';
import { ecdsaBlob, ed25519Blob, signingHash } from './ssh-key.js';
import { sshString } from './ssh-wire.js';

/** Something that signs: a key file, an agent, or a key made for this one snapshot. */
export interface Signer {
  readonly source: 'file' | 'agent' | 'one-time';
  /** The public key in SSH wire form (RFC 4253 section 6.6). */
  readonly publicKey: Buffer;
  readonly comment: string | null;
  /** Signs `data`; returns the signature in SSH wire form (algorithm name and blob). */
  sign(data: Buffer): Promise<Buffer>;
}

/** Asks the user for a key's passphrase; undefined where there is nobody to ask. */
export type AskPassphrase = (keyFile: string) => Promise<string | undefined>;

/**
 * The signer for `--key`: nothing for a one-time key, `agent` for ssh-agent, otherwise an OpenSSH private key file.
 * Throws a TlsnapError: `input` where the file is no usable key, `usage` where a passphrase is needed and nobody can be
 * asked, `io` where it cannot be read, `unavailable` where there is no agent or no key in it.
 */
export async function openSigner(key: string | undefined, ask: AskPassphrase): Promise<Signer> {
  if (key === undefined) return oneTimeSigner();
  return key === 'agent' ? openAgent(process.env['SSH_AUTH_SOCK']) : openKeyFile(key, ask);
}

/** A fresh Ed25519 key. Its private half lives in this process only. */
export function oneTimeSigner(): Signer {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const { x } = publicKey.export({ format: 'jwk' });
  return localSigner('one-time', privateKey, ed25519Blob(Buffer.from(x ?? '', 'base64url')), 'ssh-ed25519', null);
}

async function openKeyFile(path: string, ask: AskPassphrase): Promise<Signer> {
  const { default: ssh2 } = await import('ssh2');
  const bytes = readKeyFile(path);
  let parsed = ssh2.utils.parseKey(bytes);
  if (parsed instanceof Error && parsed.message.includes('no passphrase given')) {
    const passphrase = await ask(path);
    if (passphrase === undefined) {
      throw new TlsnapError('usage', path, 'is encrypted, and there is no terminal to ask for its passphrase', [
        'Add the key to an agent with ssh-add, and use --key agent.',
      ]);
    }
    parsed = ssh2.utils.parseKey(bytes, passphrase);
    if (parsed instanceof Error) throw new TlsnapError('input', path, 'the passphrase does not open it', [], parsed);
  }
  if (parsed instanceof Error) throw new TlsnapError('input', path, 'not an OpenSSH private key', KEY_ADVICE, parsed);
  if (!parsed.isPrivateKey()) throw new TlsnapError('input', path, 'holds a public key, not a private one', KEY_ADVICE);
  const privateKey = createPrivateKey(parsed.getPrivatePEM());
  return localSigner('file', privateKey, parsed.getPublicSSH(), path, parsed.comment === '' ? null : parsed.comment);
}

function readKeyFile(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw ioError(path, error);
  }
}

function localSigner(
  source: 'file' | 'one-time',
  privateKey: KeyObject,
  publicKey: Buffer,
  subject: string,
  comment: string | null,
): Signer {
  const type = publicKey.toString('latin1', 4, 4 + publicKey.readUInt32BE(0));
  const how = signingHash(type);
  if (!how) throw new TlsnapError('input', subject, `keys of type ${type} are not supported`, KEY_ADVICE);
  return {
    source,
    publicKey,
    comment,
    sign: (data) => {
      const key = type.startsWith('ecdsa') ? ({ key: privateKey, dsaEncoding: 'ieee-p1363' } as const) : privateKey;
      const signature = sign(how.hash, data, key);
      const blob = type.startsWith('ecdsa') ? ecdsaBlob(signature) : signature;
      return Promise.resolve(Buffer.concat([sshString(how.algorithm), sshString(blob)]));
    },
  };
}

const KEY_ADVICE = ['Make a key with: tlsnap keygen --output FILE.'];
