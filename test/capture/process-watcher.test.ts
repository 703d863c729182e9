import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { ProcessWatcher } from '../../src/capture/process-watcher.js';
import { HostReader } from '../../src/host/reader.js';
import { testUnless } from '../left-out.js';
import { exitBytes, processBytes } from '../native/sample-records.js';
import { becomes, reasonAgainstProc, start } from '../procfs/live-process.js';

testUnless(
  reasonAgainstProc,
  'a process is told as soon as it is reported, then whole, and that it ended comes last',
  async (t) => {
    const { pid } = start(t, 'sleep', ['60']);
    await becomes(pid, 'sleep');
    const reader = new HostReader();
    t.teardown(() => reader.close());
    const told: unknown[] = [];
    const watcher = new ProcessWatcher(reader, 'none', {
      onRow: ({ cmdline, exeSha256 }) => told.push([cmdline, exeSha256?.length]),
      onExit: (...process) => told.push(process),
    });
    // proc(5): field 22 is the start in ticks since boot, of which there are 100 a second.
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const startNs = BigInt(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? 0) * 10_000_000n;
    watcher.take(Buffer.concat([processBytes({ pid, startNs, comm: 'sleep' }), exitBytes(pid, startNs, 0)]));
    t.true(await watcher.settle(20_000));
    await sleep(0);
    t.deepEqual(told, [
      [null, undefined],
      [['sleep', '60'], 64],
      [pid, String(startNs)],
    ]);
    // Whom nobody waits to read, at once.
    watcher.take(exitBytes(pid + 1, 5n, 0));
    t.deepEqual(told.at(-1), [pid + 1, '5']);
  },
);
