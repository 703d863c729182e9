/**
 * Measures a whole capture under many connections: that nothing is lost, and what it takes.
 *
 *   node --import tsx bench/connections.ts rate [PER_SECOND] [SECONDS] [RING_SIZE]
 *   node --import tsx bench/connections.ts hold [COUNT] [SECONDS]
 *
 * `rate` opens connections at that rate, both ends in the watched cgroup, so that each has four hellos to be seen. With a small
 * ring some are lost, and as many have to be told. `hold`
 * opens that many, keeps them and talks over them, and compares the processor time with that of the very same connections when
 * the capture has ended, each from SETTLING seconds after: until then the capture reads who is there.
 * Needs root and gcc. README.md says how to read the figures.
 */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { curlExchange } from './curl-exchange.js';
import { compile, OwnCgroup } from './own-cgroup.js';
import { Said } from './said.js';
import { WatchedCapture } from './watched-capture.js';

/** Files that a process may open are fewer than connections are asked for: several loads share them. */
const PER_LOAD = 16_000;
/** The process that connects does most of a connection's work, its packets' way to the other end included: two share it. */
const RATE_LOADS = 2;
const TURNS_PER_SECOND = 2000;
const SETTLING = 25;
/** Seconds in which the capture makes its snapshot, and more. */
const COMPOSING = 60;

const [mode = '', first, second, ring = '16MiB'] = process.argv.slice(2);
const cgroup = new OwnCgroup();
try {
  const load = compile(cgroup.folder, 'connections-load.c');
  const { clientHello, serverHello } = curlExchange();
  const hellos = [clientHello.toString('hex'), serverHello.toString('hex')];
  if (mode === 'rate') await rate(load, hellos, Number(first ?? 20_000), Number(second ?? 30));
  else if (mode === 'hold') await hold(load, hellos, Number(first ?? 100_000), Number(second ?? 60));
  else throw new Error('say rate or hold');
} finally {
  cgroup.remove();
}

async function rate(load: string, hellos: readonly string[], perSecond: number, seconds: number): Promise<void> {
  const each = perSecond / RATE_LOADS;
  const args = ['rate', String(each * seconds), String(each), ...hellos];
  const run = () => Promise.all(Array.from({ length: RATE_LOADS }, async () => (await cgroup.run(load, args)).numbers));
  const cpuNs = cgroup.cpuNs();
  const alone = await run();
  const cpuPerConnection = (cgroup.cpuNs() - cpuNs) / madeBy(alone);
  const capture = new WatchedCapture(cgroup, ['--ring-size', ring]);
  await capture.armed();
  const watched = await run();
  const { events, losses, peakBytes } = await capture.end();
  const micros = (cpuPerConnection / 1000).toFixed(1);
  console.log(
    `without a capture  ${rateOf(alone).toFixed(0)} connections a second of ${perSecond} asked for, ${micros} µs of processor time each`,
  );
  console.log(`with a capture     ${rateOf(watched).toFixed(0)}`);
  const made = 4 * madeBy(watched);
  console.log(
    `hellos             ${made} made, ${events} kept, ${made - events} missing, lost: ${JSON.stringify(losses)}`,
  );
  console.log(`peak memory        ${(peakBytes / 2 ** 20).toFixed(0)} MiB resident`);
}

async function hold(load: string, hellos: readonly string[], count: number, seconds: number): Promise<void> {
  const loads = Math.ceil(count / PER_LOAD);
  const each = Math.ceil(count / loads);
  const capture = new WatchedCapture(cgroup);
  await capture.armed();
  const kept = 2 * (SETTLING + seconds) + COMPOSING;
  const args = ['hold', ...[each, kept, TURNS_PER_SECOND / loads].map(String), ...hellos];
  const slabBefore = slabBytes();
  const said = Array.from({ length: loads }, () => new Said(cgroup.spawn(load, args)));
  await Promise.all(said.map((one) => one.lines(2)));
  const watched = await held(seconds, () => capture.cpuNs());
  const { events, losses, peakBytes } = await capture.end();
  const alone = await held(seconds, () => 0);
  await Promise.all(said.map((one) => one.ended()));
  const open = each * loads;
  const perConnection = ({ slab }: Held) => ((slab - slabBefore) / open).toFixed(0);
  console.log(`connections        ${open} open at once, ${TURNS_PER_SECOND} bytes a second there and back`);
  console.log(`hellos             ${4 * open} made, ${events} kept, lost: ${JSON.stringify(losses)}`);
  console.log(`kernel memory      ${perConnection(watched)} bytes a connection, without ${perConnection(alone)}`);
  console.log(`peak memory        ${(peakBytes / 2 ** 20).toFixed(0)} MiB resident`);
  console.log(
    `processor while open  the load ${percent(watched.loadCpu)}, without ${percent(alone.loadCpu)}; the capture ${percent(watched.captureCpu)}`,
  );
}

interface Held {
  /** Of one processor, while the connections were open. */
  readonly loadCpu: number;
  readonly captureCpu: number;
  /** Bytes of the kernel's slabs, those of both ends among them. */
  readonly slab: number;
}

/** What open connections take for so long, after they have settled. */
async function held(seconds: number, captureNs: () => number): Promise<Held> {
  await sleep(SETTLING * 1000);
  const slab = slabBytes();
  const [cpu, capture, start] = [cgroup.cpuNs(), captureNs(), performance.now()];
  await sleep(seconds * 1000);
  const elapsedNs = (performance.now() - start) * 1e6;
  return { loadCpu: (cgroup.cpuNs() - cpu) / elapsedNs, captureCpu: (captureNs() - capture) / elapsedNs, slab };
}

function madeBy(loads: readonly (readonly number[])[]): number {
  return loads.reduce((sum, [made = Number.NaN]) => sum + made, 0);
}

/** Connections a second of loads that ran side by side. */
function rateOf(loads: readonly (readonly number[])[]): number {
  return loads.reduce((sum, [made = Number.NaN, ns = Number.NaN]) => sum + (made / ns) * 1e9, 0);
}

function slabBytes(): number {
  return Number(/^Slab:\s+(\d+) kB$/m.exec(readFileSync('/proc/meminfo', 'latin1'))?.[1]) * 1024;
}

function percent(part: number): string {
  return `${(part * 100).toFixed(2)} %`;
}
