import { copyFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { execFileSync } from 'node:child_process';
import { Lane } from '../../src/host/lane.js';
import { deviceOf } from '../../src/procfs/executable.js';
import type { ProcessRequest } from '../../src/procfs/process-row.js';
import { testUnless } from '../left-out.js';
import { becomes, reasonAgainstProc, start, temporaryFolder } from '../procfs/live-process.js';

function lane(t: ExecutionContext): Lane {
  const settings = { root: '/proc', hash: { maxBytes: 1e9, maxMs: 10_000 } };
  const made = new Lane(settings, { silenceMs: 5000, startMs: 20_000 }, () => undefined);
  t.teardown(() => made.close());
  return made;
}

/** A program of its own, what its inode is, and the digest that sha256sum gives. */
function program(t: ExecutionContext) {
  const path = join(temporaryFolder(t), 'brief');
  copyFileSync('/bin/sleep', path);
  const { dev, ino } = statSync(path, { bigint: true });
  const sha256 = execFileSync('sha256sum', [path], { encoding: 'utf8' }).slice(0, 64);
  return { path, expect: { device: deviceOf(dev), inode: String(ino) }, sha256 };
}

testUnless(
  reasonAgainstProc,
  'a process that ended before it was hashed is hashed by name, if the inode is the same',
  async (t) => {
    const { path, expect, sha256 } = program(t);
    const brief = start(t, path, ['60']);
    await becomes(brief.pid, 'brief');
    await brief.kill();
    const question = { kind: 'hash', pid: brief.pid, startTimeNs: null, path, expect } as const;
    const asked = lane(t);
    t.like(await asked.ask(question), { sha256, from: 'path' });
    await t.throwsAsync(asked.ask({ ...question, expect: { ...expect, inode: '1' } }), { code: 'CHANGED' });
    await t.throwsAsync(asked.ask({ ...question, path: null }), { code: 'ENOENT' });
    const { ctimeNs } = statSync(path, { bigint: true });
    const until = (notChangedAfter: bigint) => ({ ...expect, notChangedAfter: String(notChangedAfter) });
    t.like(await asked.ask({ ...question, expect: until(ctimeNs) }), { sha256, from: 'path' });
    await t.throwsAsync(asked.ask({ ...question, expect: until(ctimeNs - 1n) }), { code: 'CHANGED' });
  },
);

testUnless(
  reasonAgainstProc,
  'a process whose pid is that of another by now is hashed by name, if the inode is the same',
  async (t) => {
    const { path, expect, sha256 } = program(t);
    // It stands for the process that got the pid, and whose start time looks the same.
    const next = start(t, '/bin/sleep', ['60']);
    await becomes(next.pid, 'sleep');
    const question = { kind: 'hash', pid: next.pid, startTimeNs: null, path, expect } as const;
    const asked = lane(t);
    t.like(await asked.ask(question), { sha256, from: 'path' });
    await t.throwsAsync(asked.ask({ ...question, path: null }), { code: 'CHANGED' });
  },
);

testUnless(
  reasonAgainstProc,
  'questions are answered in order, and waiting ones fail when the lane is closed',
  async (t) => {
    const asked = lane(t);
    const request: ProcessRequest = { pid: process.pid, environ: 'none', skip: [], hungDevices: [] };
    const question = { kind: 'process', request } as const;
    const order: number[] = [];
    await Promise.all([1, 2, 3].map((index) => asked.ask(question).then(() => order.push(index))));
    t.deepEqual(order, [1, 2, 3]);
    const waiting = [asked.ask(question), asked.ask(question)];
    asked.close();
    for (const answer of waiting) await t.throwsAsync(answer, { code: 'ABANDONED' });
  },
);
