import { Args, Flags } from '@oclif/core';
import { BaseCommand } from '../../command.js';
import { feedReport } from '../../intel/feed-report.js';
import { summarise } from '../../intel/feed-summary.js';
import { loadFeeds } from '../../intel/load.js';
import { PLAIN_LIST_TYPES } from '../../intel/shapes/plain-list.js';

export default class FeedCheck extends BaseCommand {
  static override summary = 'show what intel feeds hold, and each entry that was not understood';
  static override description =
    'The shape is recognised by content. The exit code is 1 when an entry was not understood, 65 when a file has none of the known shapes.';
  static override strict = false;
  static override examples = [
    '<%= config.bin %> <%= command.id %> sslbl-ja3.csv',
    '<%= config.bin %> <%= command.id %> bundle.json.gz tls.rules --format json',
    '<%= config.bin %> <%= command.id %> hashes.txt --as ja3s',
  ];
  static override args = {
    file: Args.string({ name: 'FILE', required: true, description: "one or more feeds, gzip'd or not" }),
  };
  static override flags = {
    format: Flags.option({ options: ['table', 'json'] as const, description: 'how the result is written' })({
      default: 'table',
    }),
    as: Flags.option({ options: PLAIN_LIST_TYPES, description: 'what the hashes of a plain list are' })(),
  };

  async run(): Promise<object> {
    const { argv, flags } = await this.parse(FeedCheck);
    const feeds = (await loadFeeds(argv as string[], { as: flags.as })).map(summarise);
    if (feeds.some(({ problemCount }) => problemCount > 0)) this.found();
    if (flags.format === 'json' && !this.jsonEnabled()) this.logJson({ feeds });
    if (flags.format === 'table') this.log(feeds.map(feedReport).join('\n\n'));
    return { feeds };
  }
}
