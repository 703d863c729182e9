import { join } from 'node:path';
import { execa } from 'execa';
import { reasonAgainstCommands, testUnless } from '../left-out.js';
import { temporaryFolder, writeSample } from '../snapshot/sample.js';
import { runCli } from './run-cli.js';

const reason = process.platform === 'linux' ? reasonAgainstCommands('cc') : 'LD_PRELOAD is for Linux';

testUnless(
  reason,
  'where the C library loses wake-ups of the thread pool, a report still comes to its end',
  async (t) => {
    const folder = await temporaryFolder(t);
    const { path } = await writeSample(folder, { handshakes: 5000 });
    const library = join(folder, 'lose-wakeups.so');
    await execa('cc', ['-shared', '-fPIC', join(import.meta.dirname, 'lose-wakeups.c'), '-o', library, '-ldl']);
    const report = ['report', path, '--format', 'csv'];
    const expected = await runCli(report);
    t.is(expected.exitCode, 0, expected.stderr);
    // V8's own threads wait for a condition too; without them there is one such condition. Each one lost costs a second.
    const env = { LD_PRELOAD: library, NODE_OPTIONS: '--v8-pool-size=0' };
    const { exitCode, stdout } = await runCli(report, { env, timeout: 60_000 });
    t.is(exitCode, 0);
    t.is(stdout, expected.stdout);
  },
);
