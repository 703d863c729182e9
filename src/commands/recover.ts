import { Args, Flags } from '@oclif/core';
import { compose } from '../capture/compose.js';
import { askedRecipients } from '../capture/gather.js';
import { coverageBlock } from '../capture/coverage-block.js';
import { refuseLiveSpool } from '../capture/live-spool.js';
import { snapshotPath } from '../capture/spool.js';
import { stagingBeside } from '../capture/staging.js';
import { BaseCommand, sharedFlags } from '../command.js';
import { encryptToFlag, keyFlag } from '../flags.js';
import { Procfs } from '../procfs/procfs.js';
import { askPassphrase } from '../snapshot/ask-passphrase.js';
import { openSigner } from '../snapshot/signer.js';
import { printable } from '../terminal.js';

export default class Recover extends BaseCommand {
  static override summary = 'make a snapshot of what a killed capture left behind';
  static override description =
    'Reads the spool that a capture keeps beside its output, keeps every whole record, says where it broke off, and marks the ' +
    'snapshot as recovered. It is encrypted to whom the capture was to be encrypted to, or to others if they are named. The ' +
    'spool is removed only with --remove. That of a capture that still runs is refused: end it, and it makes the snapshot itself.';
  static override examples = [
    '<%= config.bin %> <%= command.id %> web1.tlsnap.tar.gz.spool',
    '<%= config.bin %> <%= command.id %> web1.tlsnap.tar.gz.spool --output recovered.tlsnap.tar.gz --key /mnt/usb/responder',
  ];
  static override args = {
    spool: Args.string({ name: 'SPOOL', required: true, description: 'folder NAME.spool' }),
  };
  static override flags = {
    output: sharedFlags.output,
    key: keyFlag,
    'encrypt-to': encryptToFlag,
    remove: Flags.boolean({ description: 'remove the spool when the snapshot is written' }),
    quiet: sharedFlags.quiet,
  };

  async run(): Promise<object> {
    const { args, flags } = await this.parse(Recover);
    refuseLiveSpool(args.spool, new Procfs());
    const output = flags.output ?? snapshotPath(args.spool);
    const composed = await compose({
      spool: args.spool,
      output,
      staging: stagingBeside(output),
      signer: await openSigner(flags.key, askPassphrase),
      encryptTo: flags['encrypt-to'] ?? askedRecipients(args.spool),
      removesSpool: flags.remove,
    });
    const { snapshot, handshakes, processes } = composed;
    const { coverage, recovered, window } = snapshot.manifest;
    if (Object.keys(coverage.lossesByKind).length > 0) this.found();
    if (!flags.quiet) {
      for (const line of coverageBlock(composed)) this.logToStderr(printable(line));
    }
    return {
      snapshot: snapshot.path,
      manifestSha256: snapshot.manifestSha256,
      window,
      recovered,
      handshakes,
      processes,
      coverage,
    };
  }
}
