import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { reasonAgainstCommands, reasonAgainstLiveTests, testUnless } from '../left-out.js';
import { assertVerifies } from './judge.js';
import { openStage, type CaptureSettings } from './live.js';
import { assertAsSaid, startEnds } from './network.js';

// What a capture falls back to. What it says of itself is held against which of the kernel's offers were taken away.

const reason = reasonAgainstLiveTests() ?? reasonAgainstCommands('unshare', 'setpriv', 'python3');

testUnless(reason, 'with all that this kernel offers, nothing is missing', async (t) => {
  const { features, missing } = await captured(t);
  t.true(features.includes('tlsnap_exec'));
  t.deepEqual(missing, []);
});

testUnless(
  reason,
  'without /sys/kernel/btf/vmlinux, --btf FILE takes its place, and what it costs is told',
  async (t) => {
    const { tier, features, missing } = await captured(t, async (directory) => {
      const types = join(directory, 'vmlinux.btf');
      await copyFile('/sys/kernel/btf/vmlinux', types);
      const within = ['unshare', '--mount', 'sh', '-c', 'mount -t tmpfs none /sys/kernel/btf && exec "$@"', 'sh'];
      return { within, flags: ['--btf', types] };
    });
    // libbpf attaches to tracepoints by the kernel's own file alone.
    t.regex(tier, /-only$/);
    t.false(features.includes('tlsnap_exec'));
    t.deepEqual(missing, ['when a process ended, and execs after its first connection']);
  },
);

testUnless(reason, 'without CAP_PERFMON it exits 77 and names it', async (t) => {
  const capabilities = '-all,+bpf,+net_admin,+dac_override';
  const within = ['setpriv', `--bounding-set=${capabilities}`, `--inh-caps=${capabilities}`];
  const stage = await openStage(t);
  const error = await t.throwsAsync(stage.openCapture({ within }));
  t.regex(error.message, /ended with 77[^]*lacks[^A-Z]*CAP_PERFMON/);
});

/** What the manifest says of a capture that saw one handshake with its process. */
async function captured(
  t: ExecutionContext,
  settingsIn: (directory: string) => CaptureSettings | Promise<CaptureSettings> = () => ({}),
): Promise<{ tier: string; features: readonly string[]; missing: readonly string[] }> {
  const stage = await openStage(t);
  const ends = await startEnds(stage);
  const settings = await settingsIn(stage.directory);
  const { snapshot, handshakes, path } = await stage.capture(() => ends.connect('tier.example'), settings);
  assertAsSaid(t, handshakes, ends);
  await assertVerifies(t, path);
  const { tier, features, coverage } = snapshot.manifest;
  return { tier: tier ?? '', features, missing: coverage.kernelFeaturesMissing };
}
