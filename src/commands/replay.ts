import { Args, Errors, Flags } from '@oclif/core';
import { REPLAY_FORMATS, replayOutput } from '../analysis/replay-output.js';
import { replayReport } from '../analysis/replay-report.js';
import { replaySnapshot } from '../analysis/replay.js';
import { BaseCommand, quietBesideResult } from '../command.js';
import { identityFlag } from '../flags.js';
import { loadFeeds } from '../intel/load.js';
import { PLAIN_LIST_TYPES } from '../intel/shapes/plain-list.js';
import { slowly } from '../intel/slow-write.js';
import { askPassphrase } from '../snapshot/ask-passphrase.js';
import { readIdentities } from '../snapshot/decryption.js';
import { colored, printable } from '../terminal.js';

export default class Replay extends BaseCommand {
  static override summary =
    'play a snapshot: handshakes, processes and feed matches in the order in which they happened';
  static override description =
    'Every fingerprint is derived anew from the raw bytes and compared with what was recorded and with what the kernel ' +
    'computed. The exit code is 1 when something differs, or when a feed matches.';
  static override examples = [
    '<%= config.bin %> <%= command.id %> web1.tlsnap.tar.gz',
    '<%= config.bin %> <%= command.id %> web1.tlsnap.tar.gz --speed 10 --feed sslbl-ja3.csv',
    '<%= config.bin %> <%= command.id %> web1.tlsnap.tar.gz --format ndjson | jq \'select(.type == "handshake")\'',
  ];
  static override args = {
    snapshot: Args.string({ name: 'SNAPSHOT', required: true, description: 'a .tlsnap.tar.gz file' }),
  };
  static override flags = {
    speed: Flags.custom<number>({ parse: parseSpeed })({
      helpValue: 'max|1|10',
      description: 'max, or how many recorded seconds pass in one',
      default: Infinity,
      defaultHelp: () => Promise.resolve('max'),
    }),
    feed: Flags.string({
      helpValue: 'FILE',
      description: "a feed of any known shape, gzip'd or not; may be given again",
      multiple: true,
      multipleNonGreedy: true,
    }),
    as: Flags.option({ options: PLAIN_LIST_TYPES, description: 'what the hashes of a plain list are' })(),
    format: Flags.option({
      options: REPLAY_FORMATS,
      description: 'how events are written; table on a terminal, else ndjson',
    })(),
    identity: identityFlag,
    quiet: quietBesideResult,
  };

  async run(): Promise<object> {
    const { args, flags } = await this.parse(Replay);
    const { isTTY, columns } = process.stdout;
    const format = flags.format ?? (isTTY ? 'table' : 'ndjson');
    const output = replayOutput(format, isTTY ? columns : null, colored());
    const write = this.jsonEnabled() ? () => Promise.resolve() : slowly(process.stdout);
    const feeds = await loadFeeds(flags.feed ?? [], { as: flags.as });
    await write(output.head);
    const identities = await readIdentities(flags.identity ?? [], askPassphrase);
    const summary = await replaySnapshot(args.snapshot, { speed: flags.speed, feeds, identities }, (events) =>
      write(output.text(events)),
    );
    if (summary.differing > 0 || summary.hits.total > 0) this.found();
    if (!flags.quiet && !this.jsonEnabled()) {
      for (const line of replayReport(summary)) this.logToStderr(printable(line));
    }
    return summary;
  }
}

function parseSpeed(text: string): Promise<number> {
  if (text === 'max') return Promise.resolve(Infinity);
  const speed = /^\d{1,9}(\.\d{1,9})?$/.test(text) ? Number(text) : 0;
  if (speed > 0) return Promise.resolve(speed);
  return Promise.reject(new Errors.CLIError(`${text}: not a speed: use max, or a number above 0`, { exit: 2 }));
}
