import { resolve } from 'node:path';
import test from 'ava';
import { execa } from 'execa';

test('every generated file is fresh, the manifest of the commands among them', async (t) => {
  const { exitCode, stderr } = await execa(process.execPath, ['--import', 'tsx', 'scripts/generate.ts', '--check'], {
    cwd: resolve(import.meta.dirname, '..'),
    reject: false,
  });
  t.is(exitCode, 0, stderr);
});
