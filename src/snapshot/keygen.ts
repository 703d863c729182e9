import { closeSync, fsyncSync, openSync, unlinkSync, writeFileSync } from 'node:fs';
import { ioError, TlsnapError } from '../errors.js';
import { fingerprintOf } from './ssh-key.js';

export interface KeyPair {
  readonly privateKey: string;
  readonly publicKey: string;
  /** `SHA256:...`, as `ssh-keygen -l` prints it. */
  readonly fingerprint: string;
  readonly comment: string;
}

/**
 * Makes an OpenSSH Ed25519 key pair: `path` with mode 0600, without a passphrase, and `path.pub`.
 * Throws a TlsnapError of kind `io` where either exists or cannot be written; then neither is left behind.
 */
export async function generateKeyPair(path: string, comment: string): Promise<KeyPair> {
  const { default: ssh2 } = await import('ssh2');
  const pair = ssh2.utils.generateKeyPairSync('ed25519', { comment });
  const parsed = ssh2.utils.parseKey(pair.private);
  if (parsed instanceof Error) throw parsed;
  const publicPath = `${path}.pub`;
  create(path, pair.private.endsWith('\n') ? pair.private : `${pair.private}\n`, 0o600);
  try {
    create(publicPath, `${pair.public.trimEnd()}\n`, 0o644);
  } catch (error) {
    unlinkSync(path);
    throw error;
  }
  return { privateKey: path, publicKey: publicPath, fingerprint: fingerprintOf(parsed.getPublicSSH()), comment };
}

function create(path: string, content: string, mode: number): void {
  if (path.startsWith('-')) throw new TlsnapError('usage', path, 'a key pair is two files, and cannot go to stdout');
  let fd: number | undefined;
  try {
    fd = openSync(path, 'wx', mode);
    writeFileSync(fd, content);
    fsyncSync(fd);
  } catch (error) {
    if (fd !== undefined) unlinkSync(path);
    throw ioError(path, error);
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}
