import { Flags } from '@oclif/core';
import { findCgroup } from '../../capture/cgroup2.js';
import { startRecorder } from '../../capture/recorder.js';
import { BaseCommand, sharedFlags } from '../../command.js';
import { limitFlags, pinsFlag, scopeFlags, scopeOf, sizeFlag } from '../../flags.js';
import { printable } from '../../terminal.js';

export default class RecordStart extends BaseCommand {
  static override summary = 'start a flight recorder in the kernel, and leave no process behind';
  static override description =
    'Pins programs, links and maps in a BPF file system, in a folder that only this user may enter. The newest hellos and the map of ' +
    'fingerprints are kept; a reboot ends it. Needs root, or CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON.';
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --memory 256MiB --cgroup system.slice/nginx.service',
    '<%= config.bin %> <%= command.id %> --direction outbound --port 443',
  ];
  static override flags = {
    memory: sizeFlag({
      default: 32 * 1024 * 1024,
      defaultHelp: () => Promise.resolve('32MiB'),
      helpValue: '32MiB',
      description: 'kernel memory for hellos and processes; the oldest make room for the newest',
    }),
    'map-size': limitFlags['map-size'],
    ...scopeFlags,
    btf: Flags.string({ helpValue: 'FILE', description: 'types of a kernel without /sys/kernel/btf/vmlinux' }),
    pins: pinsFlag,
    quiet: sharedFlags.quiet,
  };

  async run(): Promise<object> {
    const { flags } = await this.parse(RecordStart);
    const facts = startRecorder({
      pins: flags.pins,
      memoryBytes: flags.memory,
      mapEntries: flags['map-size'],
      cgroup: findCgroup(flags.cgroup),
      scope: scopeOf(flags),
      btfPath: flags.btf ?? null,
      toolVersion: this.config.version,
    });
    const { slots, processes, mapEntries, tier, missing, cgroup, scope } = facts;
    if (!flags.quiet) {
      this.logToStderr(printable(`recording ${cgroup} into ${slots} slots of 1 KiB, and ${processes} processes`));
      for (const feature of missing) this.logToStderr(printable(`missing     ${feature}`));
    }
    return { pins: flags.pins, slots, processes, mapEntries, tier, missing, cgroup, scope };
  }
}
