/**
 * Measures what a running capture adds to a real TLS handshake on loopback.
 *
 *   node --import tsx bench/handshake.ts [ROUNDS] [HANDSHAKES]
 *
 * Needs root, gcc and libssl-dev. A round makes the handshakes once with a capture on the cgroup and once without, in
 * turns first; its ratio compares the two medians. README.md says how to read the figures.
 */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import Table from 'cli-table3';
import { compile, OwnCgroup } from './own-cgroup.js';
import { median, spreadOf, spreadText } from './spread.js';

interface Slice {
  /** One handshake, both ends, in µs. */
  readonly wallUs: number;
  /** Processor time of both ends for one handshake, in µs. */
  readonly cpuUs: number;
}

const [rounds = 20, handshakes = 1000] = process.argv.slice(2).map(Number);
const cgroup = new OwnCgroup();
try {
  const slice = load(cgroup, handshakes);
  await slice();
  const pairs: { on: Slice; off: Slice }[] = [];
  for (let round = 0; round < rounds; round++) {
    const offFirst = round % 2 === 0 ? await slice() : null;
    const on = await cgroup.whileCaptured(slice);
    pairs.push({ on, off: offFirst ?? (await slice()) });
  }
  report(pairs);
} finally {
  cgroup.remove();
}

function load(place: OwnCgroup, count: number): () => Promise<Slice> {
  const program = compile(place.folder, 'handshake-load.c', '-lssl', '-lcrypto');
  const [certificate, key] = [join(place.folder, 'cert.pem'), join(place.folder, 'key.pem')];
  const request = 'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=bench.example';
  execFileSync('openssl', [...request.split(' '), '-keyout', key, '-out', certificate], { stdio: 'ignore' });
  return async () => {
    const { numbers, cpuNs } = await place.run(program, [certificate, key, String(count)]);
    return { wallUs: median(numbers) / 1000, cpuUs: cpuNs / 1000 / count };
  };
}

function report(pairs: readonly { on: Slice; off: Slice }[]): void {
  const table = new Table({
    style: { head: [], border: [] },
    head: ['a full handshake, TLS 1.3, P-256, both ends', 'not attached', 'attached', 'ratio', 'target'],
  });
  for (const [name, key, target] of [
    ['median time, µs', 'wallUs', '1.03'],
    ['processor time, µs', 'cpuUs', ''],
  ] as const) {
    table.push([
      name,
      spreadText(spreadOf(pairs.map(({ off }) => off[key])), 1),
      spreadText(spreadOf(pairs.map(({ on }) => on[key])), 1),
      spreadText(spreadOf(pairs.map(({ on, off }) => on[key] / off[key])), 3),
      target,
    ]);
  }
  console.log(table.toString());
}
