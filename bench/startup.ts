/**
 * From Enter to what the user waits for, with the bundle of `npm run bundle`: `--version` printed, and a capture armed.
 *
 *   node --import tsx bench/startup.ts [ROUNDS]
 *
 * The capture watches an empty cgroup of its own, so it needs root.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { bundleFolder } from '../scripts/bundle/folder.js';
import { OwnCgroup } from './own-cgroup.js';
import { spreadOf, spreadText } from './spread.js';

const rounds = Number(process.argv[2] ?? 10);
const tlsnap = join(await bundleFolder(resolve(import.meta.dirname, '..')), 'tlsnap');
const cgroup = new OwnCgroup();
try {
  const capture = ['capture', '--window', '1h', '--verbose', '--cgroup', cgroup.path, '--output'];
  const measured: { version: number[]; armed: number[] } = { version: [], armed: [] };
  for (let round = 0; round < rounds; round++) {
    measured.version.push(await untilLine(['--version'], /^tlsnap/));
    measured.armed.push(await untilLine([...capture, join(cgroup.folder, `${round}.tlsnap.tar.gz`)], /^armed/));
  }
  console.log(`tlsnap --version   ${spreadText(spreadOf(measured.version), 0)} ms`);
  console.log(`Enter to armed     ${spreadText(spreadOf(measured.armed), 0)} ms`);
} finally {
  cgroup.remove();
}

/** Milliseconds until the bundle says a line like `wanted`; it is ended then, and waited for. */
async function untilLine(args: readonly string[], wanted: RegExp): Promise<number> {
  const start = performance.now();
  const child = spawn(tlsnap, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = once(child, 'exit');
  const said = new Promise<number>((resolve, reject) => {
    for (const input of [child.stdout, child.stderr])
      createInterface({ input }).on('line', (line) => wanted.test(line) && resolve(performance.now() - start));
    child.once('close', (code) => reject(new Error(`tlsnap ${args.join(' ')} ended with ${code ?? 'a signal'}`)));
  });
  try {
    return await said;
  } finally {
    child.kill('SIGINT');
    await ended;
  }
}
