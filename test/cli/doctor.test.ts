import { cp, symlink } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import test from 'ava';
import { execa } from 'execa';
import type { Diagnosis } from '../../src/doctor/check.js';
import { temporaryFolder } from '../snapshot/sample.js';

const PROJECT = resolve(import.meta.dirname, '../..');

test('on a system that is no Linux it says where to capture and exits 69, with and without --json', async (t) => {
  const darwin = 'data:text/javascript,Object.defineProperty(process, "platform", { value: "darwin" })';
  const run = (...flags: string[]) =>
    execa(process.execPath, ['--import', darwin, join(PROJECT, 'bin/run.js'), 'doctor', ...flags], { reject: false });
  const text = await run();
  t.is(text.exitCode, 69);
  t.regex(text.stdout, /this is darwin[^]*^live capture: does not work here$[^]*^offline commands: work here/m);
  const json = await run('--json');
  t.is(json.exitCode, 69);
  t.like(JSON.parse(json.stdout) as Diagnosis, { capture: 'impossible', lacks: 'unavailable', tier: null });
});

test('without the addon it exits 69 and says how to come by it', async (t) => {
  const folder = await temporaryFolder(t);
  for (const part of ['bin', 'dist', 'package.json', 'oclif.manifest.json'])
    await cp(join(PROJECT, part), join(folder, part), { recursive: true });
  await symlink(join(PROJECT, 'node_modules'), join(folder, 'node_modules'));
  const { exitCode, stdout } = await execa(process.execPath, [join(folder, 'bin/run.js'), 'doctor', '--json'], {
    reject: false,
  });
  t.is(exitCode, 69);
  const { checks } = JSON.parse(stdout) as Diagnosis;
  if (process.platform !== 'linux') return;
  t.like(checks.find(({ name }) => name === 'addon') ?? {}, { state: 'missing', found: 'the addon is not built' });
});
