import { hostname } from 'node:os';
import { Flags } from '@oclif/core';
import { CARVE_MODES } from '../../capture/carver.js';
import { readPinned } from '../../capture/recorder.js';
import { BaseCommand, sharedFlags } from '../../command.js';
import { evidenceFlags, evidenceOf, feedsFlag, pinsFlag, redactFlag } from '../../flags.js';
import { askPassphrase } from '../../snapshot/ask-passphrase.js';
import { defaultFileName } from '../../snapshot/file-name.js';
import { printable } from '../../terminal.js';

export default class RecordDump extends BaseCommand {
  static override summary = 'make a signed snapshot of what the flight recorder holds, while it goes on';
  static override description =
    'Reads the recorder first and at once; then /proc, for the processes that are still there. Nothing is taken out of the recorder. ' +
    'Exit code 1 when hellos were overwritten before the dump, a part of the recorder is off its hook, or a feed has a hit.';
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --output /mnt/usb/web1.tlsnap.tar.gz --key /mnt/usb/responder --case 2026-117',
    '<%= config.bin %> <%= command.id %> --output - | ssh triage "cat > web1.tlsnap.tar.gz"',
  ];
  static override flags = {
    output: sharedFlags.output,
    ...evidenceFlags,
    feed: feedsFlag,
    carve: Flags.option({ options: CARVE_MODES, description: 'executables to copy into the snapshot' })({
      default: 'none',
    }),
    environ: Flags.boolean({ description: "keep the processes' environments too; they hold secrets" }),
    redact: redactFlag,
    pins: pinsFlag,
    quiet: sharedFlags.quiet,
  };

  async run(): Promise<object> {
    const { flags } = await this.parse(RecordDump);
    const reading = readPinned(flags.pins);
    const readMs = Math.round(performance.now());
    // Only now: loading all that a snapshot takes needs longer than reading the recorder, which goes on overwriting.
    const [{ dump }, { coverageBlock }, { openSigner }] = await Promise.all([
      import('../../capture/dump.js'),
      import('../../capture/coverage-block.js'),
      import('../../snapshot/signer.js'),
    ]);
    const captured = await dump(reading, {
      output: flags.output ?? defaultFileName(hostname(), new Date().toISOString()),
      signer: await openSigner(flags.key, askPassphrase),
      feeds: flags.feed ?? [],
      carve: flags.carve,
      environ: flags.environ,
      redact: flags.redact ?? [],
      ...evidenceOf(flags),
      toolVersion: this.config.version,
    });
    const { snapshot, handshakes, processes, hits } = captured;
    const { coverage, signer, window } = snapshot.manifest;
    if (Object.keys(coverage.lossesByKind).length > 0 || hits.length > 0) this.found();
    const lines = flags.quiet ? [] : coverageBlock(captured, hits);
    for (const line of lines) this.logToStderr(printable(line));
    const { path, manifestSha256 } = snapshot;
    return { snapshot: path, manifestSha256, signer, window, readMs, handshakes, processes, coverage, hits };
  }
}
