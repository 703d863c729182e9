import { Args, Flags } from '@oclif/core';
import { BaseCommand, quietBesideResult } from '../command.js';
import { counted } from '../counted.js';
import { identityFlag } from '../flags.js';
import { feedGaps } from '../intel/feed-gaps.js';
import { PLAIN_LIST_TYPES } from '../intel/shapes/plain-list.js';
import { REPORT_FORMATS, REPORT_TABLES } from '../report/formats.js';
import { askPassphrase } from '../snapshot/ask-passphrase.js';
import { readIdentities } from '../snapshot/decryption.js';
import { printable } from '../terminal.js';
import { writeReport } from '../write-report.js';

export default class Report extends BaseCommand {
  static override summary = 'write a snapshot as a file for people or for other tools';
  static override description =
    'html is one page that needs nothing else; csv has one table a file, safe to open in a spreadsheet; timesketch is JSONL, ' +
    'or CSV where the output ends in .csv. With feeds every format is compared with them, and the exit code is 1 when ' +
    'something hit.';
  static override examples = [
    '<%= config.bin %> <%= command.id %> host.tlsnap.tar.gz --format html --feed sslbl-ja3.csv --output host.html',
    '<%= config.bin %> <%= command.id %> host.tlsnap.tar.gz --format csv --table processes --output processes.csv',
    '<%= config.bin %> <%= command.id %> host.tlsnap.tar.gz --format timesketch --output host.jsonl',
    '<%= config.bin %> <%= command.id %> host.tlsnap.tar.gz --format pcapng --output - | tshark -r -',
  ];
  static override args = {
    snapshot: Args.string({ name: 'SNAPSHOT', required: true, description: 'the snapshot to report on' }),
  };
  static override flags = {
    format: Flags.option({ options: REPORT_FORMATS, required: true, description: 'what is written' })(),
    table: Flags.option({ options: REPORT_TABLES, description: 'which table of csv, handshakes by default' })(),
    feed: Flags.string({
      helpValue: 'FILE',
      description: "a feed of any known shape, gzip'd or not; may be given again",
      multiple: true,
      multipleNonGreedy: true,
    }),
    as: Flags.option({ options: PLAIN_LIST_TYPES, description: 'what the hashes of a plain list are' })(),
    output: Flags.string({
      char: 'o',
      helpValue: 'FILE',
      description: 'write here, never over an existing file; - is stdout',
      default: '-',
    }),
    identity: identityFlag,
    quiet: quietBesideResult,
  };

  async run(): Promise<object> {
    const { args, flags } = await this.parse(Report);
    const result = await writeReport({
      snapshot: args.snapshot,
      format: flags.format,
      table: flags.table,
      feeds: flags.feed ?? [],
      as: flags.as,
      identities: await readIdentities(flags.identity ?? [], askPassphrase),
      output: flags.output,
    });
    if (result.hits.total > 0) this.found();
    if (!flags.quiet && !this.jsonEnabled()) {
      const { total, high, medium, low } = result.hits;
      if (flags.feed) this.logToStderr(`${counted(total, 'hit')}: ${high} high, ${medium} medium, ${low} low`);
      for (const line of [...feedGaps(result), ...result.notes]) this.logToStderr(printable(line));
    }
    return result;
  }
}
