import { Args, Flags } from '@oclif/core';
import { endSignal } from '../capture/end-signal.js';
import { BaseCommand, sharedFlags } from '../command.js';
import { evidenceFlags, evidenceOf } from '../flags.js';
import { askPassphrase } from '../snapshot/ask-passphrase.js';
import { importProgress } from '../pcap/import-progress.js';
import { writeImport } from '../pcap/write-import.js';
import { openSigner } from '../snapshot/signer.js';
import { printable } from '../terminal.js';

export default class Import extends BaseCommand {
  static override summary = 'make a snapshot of the TLS hellos in a pcap or pcapng capture';
  static override description =
    'Reads TCP, QUIC and DTLS in bounded memory, however large the capture. What a cut-off capture holds is kept, as is what was ' +
    'read until Ctrl-C or SIGTERM, and the exit code is 1 then. The snapshot has no processes, and every other command takes it.';
  static override examples = [
    '<%= config.bin %> <%= command.id %> office.pcapng --output office.tlsnap.tar.gz',
    '<%= config.bin %> <%= command.id %> office.pcap.gz --output office.tlsnap.tar.gz --key ~/.ssh/id_ed25519',
    '$ tcpdump -i eth0 -w - tcp port 443 | <%= config.bin %> <%= command.id %> - --output live.tlsnap.tar.gz',
  ];
  static override args = {
    pcap: Args.string({
      required: true,
      description: "pcap or pcapng file, gzip'd or not; - is stdin",
    }),
  };
  static override flags = {
    output: Flags.string({
      char: 'o',
      required: true,
      helpValue: 'FILE',
      description: 'snapshot to write, never over an existing file; - is stdout',
    }),
    quiet: sharedFlags.quiet,
    ...evidenceFlags,
  };

  async run(): Promise<object> {
    const { args, flags } = await this.parse(Import);
    const end = endSignal();
    const result = await writeImport({
      input: args.pcap,
      stdin: process.stdin,
      output: flags.output,
      signer: await openSigner(flags.key, askPassphrase),
      ...evidenceOf(flags),
      toolVersion: this.config.version,
      signal: end.signal,
      progress: importProgress(flags.quiet ? null : process.stderr),
    }).finally(() => end.release());
    const { snapshot, hellos, summary, warnings } = result;
    for (const warning of warnings) if (!flags.quiet) this.warn(warning);
    if (Object.keys(result.facts.coverage.lossesByKind).length > 0) this.found();
    if (!flags.quiet) {
      this.logToStderr(
        printable(`${summary.packets} packets, ${hellos.client} client and ${hellos.server} server hellos`),
      );
      this.logToStderr(printable(`${snapshot.path}: manifest SHA-256 ${snapshot.manifestSha256}`));
    }
    return {
      snapshot: snapshot.path,
      manifestSha256: snapshot.manifestSha256,
      packets: summary.packets,
      hellos,
      lossesByKind: result.facts.coverage.lossesByKind,
    };
  }
}
