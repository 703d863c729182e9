import { recorderStatus } from '../../capture/recorder.js';
import { recorderStatusText } from '../../capture/recorder-status-text.js';
import { BaseCommand, sharedFlags } from '../../command.js';
import { pinsFlag } from '../../flags.js';
import { printable } from '../../terminal.js';

export default class RecordStatus extends BaseCommand {
  static override summary = 'say since when the flight recorder runs, how full it is, and what it gave up';
  static override examples = ['<%= config.bin %> <%= command.id %>', '<%= config.bin %> <%= command.id %> --json'];
  static override flags = { pins: pinsFlag, quiet: sharedFlags.quiet };

  async run(): Promise<object> {
    const { flags } = await this.parse(RecordStatus);
    const status = recorderStatus(flags.pins);
    if (!flags.quiet) for (const line of recorderStatusText(status, flags.pins)) this.log(printable(line));
    return status ?? { running: false, pins: flags.pins };
  }
}
