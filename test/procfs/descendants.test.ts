import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { descendants, isStill } from '../../src/procfs/descendants.js';
import { Procfs } from '../../src/procfs/procfs.js';
import { buildProc, statOf } from './fixture-proc.js';

// Trees like /proc, whose parents are known because the test wrote them (proc_pid_stat(5), field 4).

test('a process and all below it are found, whatever the order of their pids', (t) => {
  const procfs = tree(t, { 1: 0, 40: 30, 30: 20, 20: 1, 50: 20, 60: 1, 70: 60 });
  t.deepEqual(pids(procfs, 20), [20, 30, 40, 50]);
  t.deepEqual(pids(procfs, 60), [60, 70]);
  t.deepEqual(pids(procfs, 1), [1, 20, 30, 40, 50, 60, 70]);
});

test('who was adopted is no descendant any more, and a process that is not there has none', (t) => {
  const procfs = tree(t, { 1: 0, 20: 1, 30: 1, 40: 99 });
  t.deepEqual(pids(procfs, 20), [20]);
  t.deepEqual(pids(procfs, 99), []);
});

test('a listing in which pids were reused half-way, so that parents go round, ends', (t) => {
  t.deepEqual(pids(tree(t, { 20: 30, 30: 20, 40: 40 }), 20), [20, 30]);
  t.deepEqual(pids(tree(t, { 20: 30, 30: 20, 40: 40 }), 40), [40]);
});

test('a process is still the same only with the same start', (t) => {
  const procfs = tree(t, { 20: 1 });
  t.true(isStill(procfs, { pid: 20, startTimeTicks: 100n }));
  t.false(isStill(procfs, { pid: 20, startTimeTicks: 101n }));
  t.false(isStill(procfs, { pid: 21, startTimeTicks: 100n }));
});

function tree(t: ExecutionContext, parents: Record<number, number>): Procfs {
  const root = mkdtempSync(join(tmpdir(), 'tlsnap-proc-'));
  t.teardown(() => rmSync(root, { recursive: true, force: true }));
  buildProc(
    root,
    Object.entries(parents).map(([pid, ppid]) => ({
      pid: Number(pid),
      files: { stat: statOf({ pid: Number(pid), ppid, ticks: '100' }) },
    })),
  );
  return new Procfs(root);
}

function pids(procfs: Procfs, root: number): number[] {
  return descendants(procfs, root)
    .map(({ pid }) => pid)
    .sort((a, b) => a - b);
}
