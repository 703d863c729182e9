import { Flags } from '@oclif/core';
import { BaseCommand, sharedFlags } from '../command.js';
import type { Diagnosis } from '../doctor/check.js';
import { diagnosisText } from '../doctor/diagnosis-text.js';
import { examineHost } from '../doctor/examine.js';
import { EVERYTHING } from '../native/scope.js';

export default class Doctor extends BaseCommand {
  static override summary = 'say what a live capture can see on this host, and what it lacks';
  static override description =
    'Loads the programs as a capture does, attaches them for a moment to a cgroup of its own, and looks for one handshake ' +
    'with itself over loopback. Writes nothing and leaves nothing behind. Exit code 1 when a capture would see less than ' +
    'it could, 69 when the kernel lacks what is needed, 77 when privileges are missing.';
  static override examples = ['<%= config.bin %> <%= command.id %>', '<%= config.bin %> <%= command.id %> --json'];
  static override flags = {
    btf: Flags.string({ helpValue: 'FILE', description: 'types of a kernel without /sys/kernel/btf/vmlinux' }),
    quiet: sharedFlags.quiet,
  };

  async run(): Promise<Diagnosis> {
    const { flags } = await this.parse(Doctor);
    const diagnosis = await examineHost({
      directory: process.cwd(),
      // What a capture takes when it is not told otherwise.
      ringBytes: 16 * 1024 * 1024,
      mapEntries: 65_536,
      scope: EVERYTHING,
      btfPath: flags.btf ?? null,
    });
    if (!flags.quiet) this.log(diagnosisText(diagnosis));
    if (diagnosis.lacks !== null) this.fallsShort(diagnosis.lacks);
    else if (diagnosis.capture === 'limited') this.found();
    return diagnosis;
  }
}
