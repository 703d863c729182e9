import { hostname, userInfo } from 'node:os';
import { Flags } from '@oclif/core';
import { BaseCommand, sharedFlags } from '../command.js';
import { generateKeyPair, type KeyPair } from '../snapshot/keygen.js';

export default class Keygen extends BaseCommand {
  static override summary = 'make an OpenSSH Ed25519 key pair to sign snapshots with';
  static override description =
    'the private half has no passphrase and mode 0600; ssh-keygen -p -f FILE gives it one, and capture asks for it';
  static override examples = [
    '<%= config.bin %> <%= command.id %> --output ~/.ssh/tlsnap_ed25519',
    '<%= config.bin %> capture --window 60s --key ~/.ssh/tlsnap_ed25519',
  ];
  static override flags = {
    output: Flags.string({
      char: 'o',
      required: true,
      helpValue: 'FILE',
      description: 'private key; the public one goes to FILE.pub, neither over an existing file',
    }),
    quiet: sharedFlags.quiet,
  };

  async run(): Promise<KeyPair> {
    const { flags } = await this.parse(Keygen);
    const pair = await generateKeyPair(flags.output, `${userName()}@${hostname()}`);
    if (!flags.quiet) {
      this.log(`private key  ${pair.privateKey}\npublic key   ${pair.publicKey}\nfingerprint  ${pair.fingerprint}`);
    }
    return pair;
  }
}

/** A container's user may have a number and no name. */
function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return `uid-${process.getuid?.() ?? 'unknown'}`;
  }
}
