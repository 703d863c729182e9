/**
 * An hour-long window at 200 handshakes a second, without the hour: what the draining thread would have written is written,
 * and becomes a snapshot by the real way. Says how much memory is in use on the way, and checks sequence and clock.
 *
 *   node --expose-gc --import tsx bench/hour.ts [MINUTES] [PER_SECOND] [OWN_PROCESS_PERCENT]
 *
 * Ends with 1 where the memory grows, a row is missing, or a time is wrong.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compose } from '../src/capture/compose.js';
import { openSnapshot } from '../src/snapshot/reader.js';
import { oneTimeSigner } from '../src/snapshot/signer.js';
import { bootTimeOf, numberIn, writeHour, type Hour } from '../test/capture/made-hour.js';

const [minutes = 60, perSecond = 200, ownProcess = 0] = process.argv.slice(2).map(Number);
const hour: Hour = { handshakes: minutes * 60 * perSecond, perSecond, unanswered: 10, ownProcess };
const folder = mkdtempSync(join(tmpdir(), 'tlsnap-hour-'));
try {
  const [spool, output] = [join(folder, 'x.spool'), join(folder, 'x')];
  const inUse = { window: [] as number[], compose: [] as number[] };
  const sample = (stage: 'window' | 'compose', done: number): void => {
    globalThis.gc?.();
    const { rss, heapUsed, external } = process.memoryUsage();
    inUse[stage].push(heapUsed + external);
    const told = [rss, heapUsed, external].map((bytes) => (bytes / 2 ** 20).toFixed(0).padStart(6)).join(' ');
    console.log(`${stage.padEnd(8)} ${done.toFixed(0).padStart(8)}  rss heap external (MiB) ${told}`);
  };
  const quarter = Math.max(1, Math.floor(minutes / 4));
  const [written, started] = [performance.now(), Date.now()];
  writeHour(spool, hour, (minute) => minute % quarter === 0 && sample('window', minute));
  console.log(`written in ${((performance.now() - written) / 1000).toFixed(0)} s`);
  let rows = 0;
  const every = Math.floor((hour.handshakes * 1.9) / 8);
  const { snapshot } = await compose({
    spool,
    output,
    signer: oneTimeSigner(),
    encryptTo: [],
    removesSpool: true,
    onHello: () => ++rows % every === 0 && sample('compose', rows),
  });
  console.log(`${rows} rows in ${((Date.now() - started) / 1000).toFixed(0)} s with the window`);
  await check(output);
  const unanswered = Math.min(hour.handshakes / 10, 65_536);
  const own = (hour.handshakes * ownProcess) / 100;
  // 24 bytes a row are what putting rows in order takes, twice that where its tables grow.
  assertFlat('window', inUse.window, 0);
  assertFlat('compose', inUse.compose, rows * 48 + unanswered * 1024 + own * 1024);
  console.log(JSON.stringify(snapshot.manifest.coverage.reconciliation));
} finally {
  rmSync(folder, { recursive: true });
}

function assertFlat(stage: string, bytes: readonly number[], allowed: number): void {
  const growth = (bytes.at(-1) ?? 0) - (bytes[0] ?? 0);
  const most = allowed + 16 * 2 ** 20;
  console.log(
    `${stage} grew by ${(growth / 2 ** 20).toFixed(0)} MiB of ${(most / 2 ** 20).toFixed(0)} that are allowed`,
  );
  if (growth > most) process.exitCode = 1;
}

/** Every row in its place: numbered without a gap, in order of time, and at the time at which it was begun. */
async function check(path: string): Promise<void> {
  let seq = 0;
  let wrong = 0;
  const zero = BigInt(Date.UTC(2026, 10, 22, 9, 20, 8)) * 1_000_000n;
  let clients = 0;
  for await (const batch of (await openSnapshot(path)).rows('handshakes')) {
    for (const row of batch) {
      const number = numberIn(Buffer.from(row.hello.raw, 'base64'));
      const expected = bootTimeOf(number, hour) + (row.kind === 'server' ? 1_000_000n : 0n);
      const time = BigInt(Date.parse(`${row.time.slice(0, 19)}Z`)) * 1_000_000n + BigInt(row.time.slice(20, 29));
      // START's clocks: 09:20:08 at a boot time of one second.
      if (row.seq !== seq++ || time - zero !== expected - 1_000_000_000n) wrong++;
      if (row.kind === 'client' && number !== clients++) wrong++;
    }
  }
  console.log(`${seq} rows read back, ${wrong} of them wrong`);
  if (wrong > 0 || clients !== hour.handshakes) process.exitCode = 1;
}
