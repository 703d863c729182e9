/**
 * Measures what a packet of a finished connection costs in our programs, against an empty program on the same packets.
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
  { name: 'egress', ours: 'tlsnap_egress', empty: 'bench_out', attach: 'cgroup_inet_egress' },
  { name: 'ingress', ours: 'tlsnap_ingress', empty: 'bench_in', attach: 'cgroup_inet_ingress' },
] as const;

const [rounds = 20, turns = 50_000] = process.argv.slice(2).map(Number);
const cgroup = new OwnCgroup();
const pins = `/sys/fs/bpf/tlsnap-bench-${process.pid}`;
try {
  const { certificate, key } = makeCertificate(cgroup.folder);
  attachEmpty();
  const perRun = await cgroup.whileCaptured(() =>
    withBpfStats(async () => {
      const found: Map<string, number>[] = [];
      for (let round = 0; round < rounds; round++) {
        const before = programRuns(cgroup.path);
        await cgroup.run('python3', [
          join(import.meta.dirname, 'packet-load.py'),
          'turns',
          String(turns),
          certificate,
          key,
        ]);
        found.push(nsPerRun(before, programRuns(cgroup.path)));
      }
      return found;
    }),
  );
  report(perRun);
} finally {
  execFileSync('rm', ['-rf', pins]);
  cgroup.remove();
}

/** The empty programs run first on every packet, ours behind them. They leave with the cgroup. */
function attachEmpty(): void {
  const object = join(cgroup.folder, 'empty.bpf.o');
  const source = join(import.meta.dirname, 'packet-empty.bpf.c');
  const multiarch = execFileSync('gcc', ['-print-multiarch'], { encoding: 'utf8' }).trim();
  execFileSync('clang', ['-target', 'bpf', '-O2', '-g', `-I/usr/include/${multiarch}`, '-c', source, '-o', object]);
  execFileSync('bpftool', ['prog', 'loadall', object, pins]);
  for (const { empty, attach } of DIRECTIONS) {
    execFileSync('bpftool', ['cgroup', 'attach', cgroup.path, attach, 'pinned', join(pins, empty), 'multi']);
  }
}

function report(found: readonly Map<string, number>[]): void {
  const table = new Table({
    head: ['a data packet of a finished connection, ns', 'empty program', 'ours', 'ours more', 'target'],
    style: { head: [], border: [] },
  });
  for (const { name, ours, empty } of DIRECTIONS) {
    const of = (program: string) => found.map((runs) => runs.get(program) ?? Number.NaN);
    const more = found.map((runs) => (runs.get(ours) ?? Number.NaN) - (runs.get(empty) ?? Number.NaN));
    const texts = [of(empty), of(ours), more].map((values) => spreadText(spreadOf(values), 1));
    table.push([name, ...texts, '35']);
  }
  console.log(table.toString());
}
