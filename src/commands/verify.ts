import { readFile } from 'node:fs/promises';
import { Args, Flags } from '@oclif/core';
import { BaseCommand, sharedFlags } from '../command.js';
import { ioError } from '../errors.js';
import { identityFlag } from '../flags.js';
import { type AllowedSigners, parseAllowedSigners } from '../snapshot/allowed-signers.js';
import { askPassphrase } from '../snapshot/ask-passphrase.js';
import { readIdentities } from '../snapshot/decryption.js';
import type { Verification } from '../snapshot/verification.js';
import { verificationText } from '../snapshot/verification-text.js';
import { verifySnapshot } from '../snapshot/verify.js';

export default class Verify extends BaseCommand {
  static override summary = "check a snapshot's signature, digests and schema, and derive every fingerprint anew";
  static override description =
    'exit code 1 and the place where something is not as it was written; without --allowed-signers the signature is ' +
    'checked, but whose key it is remains to be compared with the case notes';
  static override examples = [
    '<%= config.bin %> <%= command.id %> web1-20261122T092008Z.tlsnap.tar.gz',
    '<%= config.bin %> <%= command.id %> web1-20261122T092008Z.tlsnap.tar.gz --allowed-signers team.allowed_signers',
    '<%= config.bin %> <%= command.id %> web1-20261122T092008Z.tlsnap.tar.gz --json',
  ];
  static override args = {
    snapshot: Args.string({ required: true, description: 'a .tlsnap.tar.gz file' }),
  };
  static override flags = {
    'allowed-signers': Flags.string({
      helpValue: 'FILE',
      description: 'who may sign, as in ssh-keygen(1), ALLOWED SIGNERS',
    }),
    identity: identityFlag,
    quiet: sharedFlags.quiet,
    verbose: sharedFlags.verbose,
  };

  async run(): Promise<Verification> {
    const { args, flags } = await this.parse(Verify);
    const file = flags['allowed-signers'];
    const result = await verifySnapshot(args.snapshot, {
      identities: await readIdentities(flags.identity ?? [], askPassphrase),
      ...(file !== undefined && { allowedSigners: await readSigners(file) }),
    });
    if (!flags.quiet) this.log(verificationText(result, flags.verbose ? Infinity : 5));
    if (!result.ok) this.found();
    return result;
  }
}

async function readSigners(path: string): Promise<AllowedSigners> {
  try {
    return parseAllowedSigners(await readFile(path, 'utf8'), path);
  } catch (error) {
    throw ioError(path, error);
  }
}
