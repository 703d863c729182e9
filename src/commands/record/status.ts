import { recorderStatus } from '../../capture/recorder.js';
import { recorderStatusText } from '../../capture/recorder-status-text.js';
import { BaseCommand, sharedFlags } from '../../command.js';
import { pinsFlag } from '../../flags.js';
import { printable } from '../../terminal.js';

export default class RecordStatus extends BaseCommand {
  static override summary = 'say since when the flight recorder runs, how full it is, and what it gave up';
  static override description =
    'Exit code 1 when a part of the recorder is off its hook: its cgroup was removed, or somebody took it off.';
  static override examples = ['<%= config.bin %> <%= command.id %>', '<%= config.bin %> <%= command.id %> --json'];
  static override flags = { pins: pinsFlag, quiet: sharedFlags.quiet };

  async run(): Promise<object> {
    const { flags } = await this.parse(RecordStatus);
    const status = recorderStatus(flags.pins);
    if (!flags.quiet) for (const line of recorderStatusText(status, flags.pins)) this.log(printable(line));
    if (status && status.detached.length > 0) this.found();
    return status ?? { running: false, pins: flags.pins };
  }
}
