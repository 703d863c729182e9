import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { answersKill, hiddenProcesses } from '../../src/host/hidden-processes.js';
import { Procfs } from '../../src/procfs/procfs.js';
import { testUnless } from '../left-out.js';
import { buildProc, statOf } from '../procfs/fixture-proc.js';
import { becomes, reasonAgainstProc, start, temporaryFolder } from '../procfs/live-process.js';

const seen = (pid: number, startTimeNs: string | null = null) => ({ pid, startTimeNs, comm: 'x' });

/** A /proc whose listing leaves out what is `hidden`, as a rootkit's does that edits directory listings. */
class Listing extends Procfs {
  readonly #hidden: number[];

  constructor(root: string, hidden: number[]) {
    super(root);
    this.#hidden = hidden;
  }

  override pids(): { pids: number[]; truncated: boolean } {
    const { pids, truncated } = super.pids();
    return { pids: pids.filter((pid) => !this.#hidden.includes(pid)), truncated };
  }
}

testUnless(reasonAgainstProc, 'a process that lives but is not listed is found', async (t) => {
  const { pid } = start(t, 'sleep', ['60']);
  await becomes(pid, 'sleep');
  t.deepEqual(hiddenProcesses([seen(pid), seen(process.pid)], new Listing('/proc', [pid])), [
    { ...seen(pid), hasDirectory: true, answersKill: true, explanation: null },
  ]);
  t.deepEqual(hiddenProcesses([seen(pid), seen(process.pid)], new Procfs()), []);
});

testUnless(reasonAgainstProc, 'a process that ended, a reused pid and a thread are not hidden', async (t) => {
  const sleep = start(t, 'sleep', ['60']);
  const { pid } = start(t, 'sleep', ['60']);
  await becomes(pid, 'sleep');
  await sleep.kill();
  t.deepEqual(hiddenProcesses([seen(sleep.pid), seen(pid, '1')], new Listing('/proc', [pid])), []);
  const tid = Number(execFileSync('ls', [`/proc/${process.pid}/task`], { encoding: 'utf8' }).split('\n')[1]);
  t.deepEqual(hiddenProcesses([seen(tid)], new Procfs()), []);
});

testUnless(reasonAgainstProc, 'the kernel is asked without /proc', async (t) => {
  const sleep = start(t, 'sleep', ['60']);
  t.true(answersKill(sleep.pid));
  await sleep.kill();
  t.false(answersKill(sleep.pid));
});

test('one without any directory is found by kill alone', (t) => {
  const procfs = new Procfs(temporaryFolder(t));
  t.deepEqual(
    hiddenProcesses([seen(7)], procfs, () => true),
    [{ ...seen(7), hasDirectory: false, answersKill: true, explanation: null }],
  );
  t.deepEqual(
    hiddenProcesses([seen(7)], procfs, () => false),
    [],
  );
  t.deepEqual(
    hiddenProcesses([seen(7)], procfs, () => null),
    [],
  );
});

test('hidepid explains it', (t) => {
  const root = temporaryFolder(t);
  buildProc(root, [], { 'self/mountinfo': `22 27 0:21 / ${root} rw - proc proc rw,hidepid=invisible\n` });
  t.is(hiddenProcesses([seen(7)], new Procfs(root), () => true)[0]?.explanation, 'hidepid');
});

test('one that is listed at the second look only had just started', (t) => {
  const root = temporaryFolder(t);
  const late = (): boolean => {
    mkdirSync(join(root, '7'));
    return true;
  };
  t.deepEqual(hiddenProcesses([seen(7)], new Procfs(root), late), []);
  buildProc(root, [{ pid: 8, files: { stat: statOf({ pid: 8 }), status: 'Tgid:\t8\n' } }]);
  t.is(hiddenProcesses([seen(8)], new Listing(root, [8]), () => null).length, 1);
});
