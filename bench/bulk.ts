/**
 * Measures what a running capture leaves of the throughput of one connection on loopback, after its handshake.
 *
 *   node --import tsx bench/bulk.ts [ROUNDS] [MEBIBYTES]
 *
 * Needs root and python3. A round sends the data once with a capture on the cgroup and once without, in turns first.
 * README.md says how to read the figures.
 */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import Table from 'cli-table3';
import { makeCertificate } from './certificate.js';
import { OwnCgroup } from './own-cgroup.js';
import { spreadOf, spreadText } from './spread.js';

const SETTLE_MS = 3000;

const [rounds = 20, mebibytes = 4096] = process.argv.slice(2).map(Number);
const cgroup = new OwnCgroup();
try {
  const { certificate, key } = makeCertificate(cgroup.folder);
  const load = [join(import.meta.dirname, 'packet-load.py'), 'bulk', String(mebibytes * 2 ** 20), certificate, key];
  /** Bytes a nanosecond, which is gigabytes a second. */
  const send = async (): Promise<number> => {
    const { numbers } = await cgroup.run('python3', load);
    return (mebibytes * 2 ** 20) / (numbers[0] ?? Number.NaN);
  };
  await send();
  const pairs: { on: number; off: number }[] = [];
  for (let round = 0; round < rounds; round++) {
    const offFirst = round % 2 === 0 ? await send() : null;
    // In its first second a capture reads the host's processes and sockets: that takes a processor, not the packets.
    const on = await cgroup.whileCaptured(async () => {
      await sleep(SETTLE_MS);
      return send();
    });
    pairs.push({ on, off: offFirst ?? (await send()) });
  }
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
} finally {
  cgroup.remove();
}
