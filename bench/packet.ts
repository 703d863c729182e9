/**
 * Measures what a packet of a finished connection costs in our programs, against an empty program on the same load.
 *
 *   node --import tsx bench/packet.ts [ROUNDS] [TURNS]
 *
 * Needs root, clang, bpftool and python3. README.md says how to read the figures.
 */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import Table from 'cli-table3';
import { nsPerRun, programRuns, withBpfStats } from './bpf-stats.js';
import { makeCertificate } from './certificate.js';
import { OwnCgroup } from './own-cgroup.js';
import { spreadOf, spreadText } from './spread.js';

const DIRECTIONS = [
  { name: 'egress', ours: 'tlsnap_egress_direct', empty: 'bench_out', attach: 'cgroup_inet_egress' },
  { name: 'ingress', ours: 'tlsnap_ingress_direct', empty: 'bench_in', attach: 'cgroup_inet_ingress' },
] as const;

const [rounds = 20, turns = 50_000] = process.argv.slice(2).map(Number);
// One cgroup each: of two programs in a row, the second finds warm what the first had to fetch.
const [watched, emptied] = [new OwnCgroup(), new OwnCgroup()];
const pins = `/sys/fs/bpf/tlsnap-bench-${process.pid}`;
try {
  const { certificate, key } = makeCertificate(watched.folder);
  attachEmpty();
  const load = [join(import.meta.dirname, 'packet-load.py'), String(turns), certificate, key];
  const measure = async (cgroup: OwnCgroup): Promise<Map<string, number>> => {
    const before = programRuns(cgroup.path);
    await cgroup.run('python3', load);
    return nsPerRun(before, programRuns(cgroup.path));
  };
  const found = await watched.whileCaptured(() =>
    withBpfStats(async () => {
      const all: { ours: Map<string, number>; empty: Map<string, number> }[] = [];
      for (let round = 0; round < rounds; round++) {
        // Neither is always the first.
        if (round % 2 === 0) all.push({ ours: await measure(watched), empty: await measure(emptied) });
        else all.push({ empty: await measure(emptied), ours: await measure(watched) });
      }
      return all;
    }),
  );
  report(found);
} finally {
  execFileSync('rm', ['-rf', pins]);
  for (const cgroup of [watched, emptied]) cgroup.remove();
}

/** The empty programs leave with their cgroup. */
function attachEmpty(): void {
  const object = join(emptied.folder, 'empty.bpf.o');
  const source = join(import.meta.dirname, 'packet-empty.bpf.c');
  const multiarch = execFileSync('gcc', ['-print-multiarch'], { encoding: 'utf8' }).trim();
  execFileSync('clang', ['-target', 'bpf', '-O2', '-g', `-I/usr/include/${multiarch}`, '-c', source, '-o', object]);
  execFileSync('bpftool', ['prog', 'loadall', object, pins]);
  for (const { empty, attach } of DIRECTIONS) {
    execFileSync('bpftool', ['cgroup', 'attach', emptied.path, attach, 'pinned', join(pins, empty), 'multi']);
  }
}

function report(found: readonly { ours: Map<string, number>; empty: Map<string, number> }[]): void {
  const table = new Table({
    head: ['a data packet of a finished connection, ns', 'empty program', 'ours', 'ours more', 'target'],
    style: { head: [], border: [] },
  });
  for (const { name, ours, empty } of DIRECTIONS) {
    const pairs = found.map(
      (round) => [round.empty.get(empty) ?? Number.NaN, round.ours.get(ours) ?? Number.NaN] as const,
    );
    const columns = [pairs.map(([one]) => one), pairs.map(([, one]) => one), pairs.map(([one, other]) => other - one)];
    table.push([name, ...columns.map((values) => spreadText(spreadOf(values), 1)), '35']);
  }
  console.log(table.toString());
}
