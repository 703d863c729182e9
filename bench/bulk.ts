/**
 * Measures what a running capture leaves of the throughput of one connection on loopback, after its handshake.
 *
 *   node --import tsx bench/bulk.ts [ROUNDS] [MEBIBYTES]
 *
 * Needs root and python3. One capture runs all the time; of two connections between the same two processes it watches
 * one, and each round sends MEBIBYTES over both. README.md says how to read the figures.
 */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import Table from 'cli-table3';
import { makeCertificate } from './certificate.js';
import { OwnCgroup } from './own-cgroup.js';
import { spreadOf, spreadText } from './spread.js';

const SETTLE_MS = 3000;

const [rounds = 400, mebibytes = 64] = process.argv.slice(2).map(Number);
const bytes = mebibytes * 2 ** 20;
const [watched, other] = [new OwnCgroup(), new OwnCgroup()];
try {
  const { certificate, key } = makeCertificate(watched.folder);
  const load = join(import.meta.dirname, 'bulk-load.py');
  const found = await watched.whileCaptured(async () => {
    // In its first second a capture reads the host's processes and sockets: that takes a processor, not the packets.
    await sleep(SETTLE_MS);
    return watched.run('python3', [load, watched.path, other.path, String(rounds), String(bytes), certificate, key]);
  });
  report(found.numbers);
} finally {
  for (const cgroup of [watched, other]) cgroup.remove();
}

/** @param nanoseconds of each round's watched burst and of its other one, in turn */
function report(nanoseconds: readonly number[]): void {
  const pairs = Array.from({ length: nanoseconds.length / 2 }, (_, round) => ({
    on: bytes / (nanoseconds[2 * round] ?? Number.NaN),
    off: bytes / (nanoseconds[2 * round + 1] ?? Number.NaN),
  }));
  const table = new Table({
    style: { head: [], border: [] },
    head: ['one connection, GB/s', 'not attached', 'attached', 'ratio', 'target'],
  });
  table.push([
    `${mebibytes} MiB on loopback`,
    spreadText(spreadOf(pairs.map(({ off }) => off)), 2),
    spreadText(spreadOf(pairs.map(({ on }) => on)), 2),
    spreadText(spreadOf(pairs.map(({ on, off }) => on / off)), 3),
    '0.97',
  ]);
  console.log(table.toString());
}
