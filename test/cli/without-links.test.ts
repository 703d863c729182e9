import { existsSync } from 'node:fs';
import { mkdir, readdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { execa } from 'execa';
import { compileActor } from '../kernel/programs.js';
import { reasonAgainstCommands, testUnless } from '../left-out.js';
import { fixture } from '../pcap/tshark.js';
import { temporaryFolder } from '../snapshot/sample.js';
import { runCli } from './run-cli.js';

// A stick with FAT, which has no hard links. To the command the kernel says so by a seccomp filter.

const RUN = resolve(import.meta.dirname, '../../bin/run.js');
const reason = reasonAgainstCommands('cc');

for (const renames of ['yes', 'no'] as const) {
  testUnless(
    reason,
    renames === 'yes'
      ? 'without hard links a snapshot has its name when it is whole, and nothing is written over'
      : 'where it cannot be given its name without hard links either, nothing has it',
    async (t) => {
      const without = await compileActor(await temporaryFolder(t), 'without-links');
      const folder = join(await temporaryFolder(t), 'stick');
      await mkdir(folder);
      const output = join(folder, 'x.tlsnap.tar.gz');
      const command = [renames, process.execPath, RUN, 'import', fixture('clients.pcapng'), '--output', output];
      const { exitCode, stderr } = await execa(without, command, { reject: false });
      if (renames === 'no') {
        t.is(exitCode, 74, stderr);
        t.deepEqual(await readdir(folder), []);
        return;
      }
      t.is(exitCode, 0, stderr);
      t.deepEqual(await readdir(folder), ['x.tlsnap.tar.gz']);
      t.is((await runCli(['verify', output])).exitCode, 0);
      t.is((await execa(without, command, { reject: false })).exitCode, 74);
      t.true(existsSync(output));
      t.is((await runCli(['verify', output])).exitCode, 0);
    },
  );
}
