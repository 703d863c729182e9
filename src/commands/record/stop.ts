import { stopRecorder } from '../../capture/recorder.js';
import { BaseCommand, sharedFlags } from '../../command.js';
import { pinsFlag } from '../../flags.js';
import { printable } from '../../terminal.js';

export default class RecordStop extends BaseCommand {
  static override summary = 'end the flight recorder; what it holds is gone then';
  static override description =
    'Removes programs, links and maps, of whatever version the recorder is. Dump it before: record dump.';
  static override examples = ['<%= config.bin %> <%= command.id %>'];
  static override flags = { pins: pinsFlag, quiet: sharedFlags.quiet };

  async run(): Promise<object> {
    const { flags } = await this.parse(RecordStop);
    stopRecorder(flags.pins);
    if (!flags.quiet) this.logToStderr(printable(`nothing is recorded any more: ${flags.pins} is removed`));
    return { stopped: flags.pins };
  }
}
