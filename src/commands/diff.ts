import { Args, Flags } from '@oclif/core';
import { DIFF_FORMATS, diffCsv, diffReport, diffTable } from '../analysis/diff-output.js';
import { diffSnapshots, type Diff } from '../analysis/diff.js';
import { BaseCommand, quietBesideResult } from '../command.js';
import { identityFlag } from '../flags.js';
import { loadFeeds } from '../intel/load.js';
import { PLAIN_LIST_TYPES } from '../intel/shapes/plain-list.js';
import { slowly } from '../intel/slow-write.js';
import { askPassphrase } from '../snapshot/ask-passphrase.js';
import { readIdentities } from '../snapshot/decryption.js';
import { colored, printable } from '../terminal.js';

export default class DiffCommand extends BaseCommand {
  static override summary = 'compare two snapshots: what is new, gone and changed, and what stands out';
  static override description =
    'BEFORE is an earlier snapshot, or one of a host that is known to be good. Order of extensions, resumption, ports ' +
    'that the system chose and pids make no difference. The exit code is 1 when something differs, or when a feed ' +
    'matches something in AFTER.';
  static override examples = [
    '<%= config.bin %> <%= command.id %> monday.tlsnap.tar.gz tuesday.tlsnap.tar.gz',
    '<%= config.bin %> <%= command.id %> golden-image.tlsnap.tar.gz web1.tlsnap.tar.gz --feed sslbl-ja3.csv',
    '<%= config.bin %> <%= command.id %> monday.tlsnap.tar.gz tuesday.tlsnap.tar.gz --format csv > changes.csv',
  ];
  static override args = {
    before: Args.string({ name: 'BEFORE', required: true, description: 'the snapshot to compare with' }),
    after: Args.string({ name: 'AFTER', required: true, description: 'the snapshot in question' }),
  };
  static override flags = {
    feed: Flags.string({
      helpValue: 'FILE',
      description: "a feed of any known shape, gzip'd or not; may be given again",
      multiple: true,
      multipleNonGreedy: true,
    }),
    as: Flags.option({ options: PLAIN_LIST_TYPES, description: 'what the hashes of a plain list are' })(),
    format: Flags.option({ options: DIFF_FORMATS, description: 'how differences are written' })({ default: 'table' }),
    identity: identityFlag,
    quiet: quietBesideResult,
  };

  async run(): Promise<Diff> {
    const { args, flags } = await this.parse(DiffCommand);
    const feeds = await loadFeeds(flags.feed ?? [], { as: flags.as });
    const identities = await readIdentities(flags.identity ?? [], askPassphrase);
    const result = await diffSnapshots(args.before, args.after, feeds, identities);
    const fresh = result.findings.some(({ status }) => status !== 'same');
    if (result.differences.length > 0 || fresh || result.hits.total > 0) this.found();
    if (this.jsonEnabled()) return result;
    const write = slowly(process.stdout);
    if (flags.format === 'json') this.logJson(result);
    else await write(flags.format === 'csv' ? diffCsv(result) : diffTable(result, colored()));
    if (!flags.quiet) for (const line of diffReport(result)) this.logToStderr(printable(line));
    return result;
  }
}
