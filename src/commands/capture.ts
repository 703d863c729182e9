import { hostname } from 'node:os';
import { Flags } from '@oclif/core';
import { capture } from '../capture/capture.js';
import { CARVE_MODES } from '../capture/carver.js';
import { coverageBlock } from '../capture/coverage-block.js';
import { findCgroup } from '../capture/cgroup2.js';
import { endSignal } from '../capture/end-signal.js';
import { ProgressLine } from '../capture/progress.js';
import { BaseCommand, sharedFlags } from '../command.js';
import {
  durationFlag,
  evidenceFlags,
  evidenceOf,
  feedsFlag,
  limitFlags,
  limitsOf,
  redactFlag,
  rehandshakeFlags,
  scopeFlags,
  scopeOf,
} from '../flags.js';
import { askPassphrase } from '../snapshot/ask-passphrase.js';
import { defaultFileName } from '../snapshot/file-name.js';
import { openSigner } from '../snapshot/signer.js';
import { printable } from '../terminal.js';

export default class Capture extends BaseCommand {
  static override summary = 'record every TLS handshake on this host for a while, by process, into a signed snapshot';
  static override description =
    'Attaches BPF programs beside whatever runs, touches no traffic (but for --rehandshake), and leaves nothing behind. Ctrl-C ends the window early ' +
    'and still writes the snapshot. Needs root, or CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON. Exit code 1 when anything was lost, or a feed hit.';
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --window 5m --output /mnt/usb/web1.tlsnap.tar.gz --key /mnt/usb/responder --case 2026-117',
    '<%= config.bin %> <%= command.id %> --window 5m --encrypt-to age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p',
    '<%= config.bin %> <%= command.id %> --window 30s --cgroup system.slice/nginx.service --output nginx.tlsnap.tar.gz',
    '<%= config.bin %> <%= command.id %> --pid 4242 --port 443 --direction outbound',
    '<%= config.bin %> <%= command.id %> --window 60s --output - | ssh triage "cat > web1.tlsnap.tar.gz"',
  ];
  static override flags = {
    window: durationFlag({
      default: { ms: 60_000, iso: 'PT60S' },
      defaultHelp: () => Promise.resolve('60s'),
      helpValue: '60s',
      description: 'how long to watch: 10s, 5m, 1h or ISO 8601',
    }),
    ...sharedFlags,
    ...evidenceFlags,
    ...scopeFlags,
    feed: feedsFlag,
    carve: Flags.option({ options: CARVE_MODES, description: 'executables to copy into the snapshot' })({
      default: 'none',
    }),
    environ: Flags.boolean({ description: "keep the processes' environments too; they hold secrets" }),
    redact: redactFlag,
    ...rehandshakeFlags,
    btf: Flags.string({ helpValue: 'FILE', description: 'types of a kernel without /sys/kernel/btf/vmlinux' }),
    ...limitFlags,
  };

  async run(): Promise<object> {
    const { flags } = await this.parse(Capture);
    const output = flags.output ?? defaultFileName(hostname(), new Date().toISOString());
    const progress = new ProgressLine(flags.quiet ? null : process.stderr);
    const end = endSignal();
    const captured = await capture({
      output,
      signer: await openSigner(flags.key, askPassphrase),
      windowMs: flags.window.ms,
      asked: flags.window.iso,
      cgroup: findCgroup(flags.cgroup),
      scope: scopeOf(flags),
      ...limitsOf(flags),
      btfPath: flags.btf ?? null,
      feeds: flags.feed ?? [],
      carve: flags.carve,
      environ: flags.environ,
      redact: flags.redact ?? [],
      rehandshake: flags.rehandshake ?? [],
      ...evidenceOf(flags),
      toolVersion: this.config.version,
      signal: end.signal,
      onSpool: end.spoolAt,
      onArmed: () => flags.verbose && this.logToStderr('armed: every handshake from now on is seen'),
      onProgress: (now) => progress.show(now),
      onWindowEnd: () => progress.say('the window is over; writing the snapshot'),
    }).finally(() => {
      progress.clear();
      end.release();
    });
    const { snapshot, handshakes, processes, hits } = captured;
    const { coverage, signer, window } = snapshot.manifest;
    if (Object.keys(coverage.lossesByKind).length > 0 || hits.length > 0) this.found();
    for (const line of flags.quiet ? [] : coverageBlock(captured, hits)) this.logToStderr(printable(line));
    const { path, manifestSha256 } = snapshot;
    return { snapshot: path, manifestSha256, signer, window, handshakes, processes, coverage, hits };
  }
}
