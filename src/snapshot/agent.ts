import type { ParsedKey } from 'ssh2';
import { TlsnapError } from '../errors.js';
import { signingHash } from './ssh-key.js';
import { sshString } from './ssh-wire.js';

/** A key that an agent holds: a Signer. */
export interface AgentKey {
  readonly source: 'agent';
  readonly publicKey: Buffer;
  readonly comment: string | null;
  sign(data: Buffer): Promise<Buffer>;
}

/** A signer that asks ssh-agent at `socket`. Of several keys an Ed25519 one is preferred, then the first usable. */
export async function openAgent(socket: string | undefined): Promise<AgentKey> {
  if (!socket) {
    throw new TlsnapError('unavailable', 'ssh-agent', 'SSH_AUTH_SOCK is not set, so there is no agent to ask', [
      'Start one with ssh-agent and add a key with ssh-add, or name a key file. sudo drops the variable: use sudo --preserve-env=SSH_AUTH_SOCK.',
    ]);
  }
  const { default: ssh2 } = await import('ssh2');
  const agent = new ssh2.OpenSSHAgent(socket);
  const keys = await new Promise<ParsedKey[]>((resolve, reject) =>
    agent.getIdentities((error, found) => {
      if (error) reject(unusable(socket, error));
      else resolve((found ?? []) as ParsedKey[]);
    }),
  );
  const usable = keys.filter(({ type }) => signingHash(type));
  const key = usable.find(({ type }) => type === 'ssh-ed25519') ?? usable[0];
  const how = key && signingHash(key.type);
  if (!key || !how) {
    throw new TlsnapError('unavailable', 'ssh-agent', `holds ${keys.length} keys, none of a supported type`, [
      'Add an Ed25519 key with ssh-add.',
    ]);
  }
  return {
    source: 'agent',
    publicKey: key.getPublicSSH(),
    comment: key.comment === '' ? null : key.comment,
    sign: (data) =>
      new Promise((resolve, reject) => {
        // The option chooses between an RSA key's hashes; the agent ignores it for other types.
        agent.sign(key, data, { hash: 'sha512' }, (error, signature) => {
          if (error || !signature) reject(unusable(socket, error));
          else resolve(Buffer.concat([sshString(how.algorithm), sshString(signature)]));
        });
      }),
  };
}

function unusable(socket: string, error: unknown): TlsnapError {
  const reason = error instanceof Error ? error.message : 'it gave no reason';
  return new TlsnapError('unavailable', 'ssh-agent', `${socket} does not sign: ${reason}`, [
    'Check with ssh-add -l that the agent runs and is unlocked.',
  ]);
}
