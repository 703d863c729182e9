import { Args, Flags } from '@oclif/core';
import { BaseCommand, quietBesideResult } from '../command.js';
import { identityFlag } from '../flags.js';
import type { Hit } from '../intel/hit.js';
import { HIT_FORMATS, hitOutput } from '../intel/hit-output.js';
import { loadFeeds } from '../intel/load.js';
import { matchReport } from '../intel/match-report.js';
import { matchSnapshots } from '../intel/match-snapshots.js';
import { PLAIN_LIST_TYPES } from '../intel/shapes/plain-list.js';
import { slowly } from '../intel/slow-write.js';
import { askPassphrase } from '../snapshot/ask-passphrase.js';
import { readIdentities } from '../snapshot/decryption.js';
import { printable } from '../terminal.js';

export default class Match extends BaseCommand {
  static override summary = 'compare snapshots with intel feeds: fingerprints, executables, server names';
  static override description =
    'Each hit says which feed and indicator, how much it means and why: a JA3 alone is weak evidence. What was compared, ' +
    'and what could not be, is told on stderr. The exit code is 1 when something hit.';
  static override strict = false;
  static override examples = [
    '<%= config.bin %> <%= command.id %> host.tlsnap.tar.gz --feed sslbl-ja3.csv',
    '<%= config.bin %> <%= command.id %> monday.tlsnap.tar.gz tuesday.tlsnap.tar.gz --feed misp.json --feed tls.rules',
    '<%= config.bin %> <%= command.id %> host.tlsnap.tar.gz --feed hashes.txt --as ja3s --format csv',
  ];
  static override args = {
    snapshot: Args.string({ name: 'SNAPSHOT', required: true, description: 'one or more snapshots' }),
  };
  static override flags = {
    feed: Flags.string({
      helpValue: 'FILE',
      description: "a feed of any known shape, gzip'd or not; may be given again",
      required: true,
      multiple: true,
      multipleNonGreedy: true,
    }),
    format: Flags.option({ options: HIT_FORMATS, description: 'how hits are written' })({ default: 'table' }),
    as: Flags.option({ options: PLAIN_LIST_TYPES, description: 'what the hashes of a plain list are' })(),
    identity: identityFlag,
    quiet: quietBesideResult,
  };

  async run(): Promise<object> {
    const { argv, flags } = await this.parse(Match);
    const format = this.jsonEnabled() ? 'json' : flags.format;
    const output = hitOutput(format, slowly(process.stdout));
    const feeds = await loadFeeds(flags.feed, { as: flags.as });
    const identities = await readIdentities(flags.identity ?? [], askPassphrase);
    const onHits = (snapshot: string, hits: readonly Hit[]) => output.hits(snapshot, hits);
    const summary = await matchSnapshots(argv as string[], feeds, onHits, identities);
    const result = { ...summary, ...(await output.end()) };
    if (summary.hits.total > 0) this.found();
    if (format === 'json' && !this.jsonEnabled()) this.logJson(result);
    if (!flags.quiet && !this.jsonEnabled()) for (const line of matchReport(summary)) this.logToStderr(printable(line));
    return result;
  }
}
