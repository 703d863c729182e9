/**
 * Measures reading of a snapshot alone, with all checks: whole rows, and the excerpts that `match` reads.
 *
 *   node --import tsx bench/read.ts SNAPSHOT [ROUNDS]
 *
 * Each round reads it both ways, in a process each; bench/match.ts makes a snapshot when it is given a folder.
 */
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { openSnapshot } from '../src/snapshot/reader.js';

const [first = '', second = '3'] = process.argv.slice(2);
if (first === 'rows' || first === 'excerpts') await measure(first, second);
else for (let round = 0; round < Number(second); round++) for (const way of ['rows', 'excerpts']) start(way, first);

function start(way: string, path: string): void {
  const script = fileURLToPath(import.meta.url);
  execFileSync(process.execPath, [...process.execArgv, script, way, path], { stdio: 'inherit' });
}

async function measure(way: 'rows' | 'excerpts', path: string): Promise<void> {
  const snapshot = await openSnapshot(path);
  const start = performance.now();
  const before = process.cpuUsage();
  let rows = 0;
  const batches = way === 'rows' ? snapshot.batches(['handshakes', 'processes']) : snapshot.excerpts();
  for await (const batch of batches) rows += batch.rows.length;
  const seconds = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage(before);
  console.log(
    `${way.padEnd(8)} ${Math.round(rows / seconds)} rows/s, CPU ${(user / rows).toFixed(1)} + ${(system / rows).toFixed(1)} µs/row, ` +
      `peak ${Math.round(process.resourceUsage().maxRSS / 1024)} MiB`,
  );
}
