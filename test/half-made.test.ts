import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { execaNode } from 'execa';
import { temporaryFolder } from './snapshot/sample.js';

// What is not whole yet goes where a signal ends the command, and what is whole stays.

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  test(`${signal} takes away what is half made, and ends the process as usual`, async (t) => {
    const folder = await temporaryFolder(t);
    const [half, whole, staging] = ['half', 'whole', 'staging'].map((name) => join(folder, name)) as [
      string,
      string,
      string,
    ];
    mkdirSync(staging);
    for (const path of [half, whole, join(staging, 'member')]) writeFileSync(path, '');
    const script = `
      import * as made from ${JSON.stringify(new URL('../src/half-made.ts', import.meta.url).href)};
      for (const path of ${JSON.stringify([half, whole, staging])}) made.halfMade(path);
      made.whole(${JSON.stringify(whole)});
      console.log('ready');
      setTimeout(() => undefined, 30_000);`;
    const file = join(folder, 'script.mjs');
    writeFileSync(file, script);
    const child = execaNode(file, { nodeOptions: ['--import', 'tsx'], reject: false });
    await new Promise((resolve) => child.stdout.once('data', resolve));
    child.kill(signal);
    t.is((await child).signal, signal);
    t.deepEqual([half, whole, staging].map(existsSync), [false, true, false]);
  });
}
