/**
 * Measures what the programs take for a client's connection with curl's ClientHello, with hash, map and copy: the nanoseconds
 * that the kernel counts for all their runs, against those for connections that are out of scope.
 *
 *   node --import tsx bench/hello.ts [ROUNDS] [CONNECTIONS]
 *
 * Needs root, gcc and bpftool. README.md says how to read the figures.
 */
import Table from 'cli-table3';
import { programRuns, withBpfStats, type ProgramRuns } from './bpf-stats.js';
import { curlExchange } from './curl-exchange.js';
import { compile, OwnCgroup } from './own-cgroup.js';
import { spreadOf, spreadText } from './spread.js';

const PROGRAMS = [
  { program: 'tlsnap_egress_direct', name: 'packets out: the ClientHello hashed, mapped, copied' },
  { program: 'tlsnap_sockops', name: 'connect: who it is' },
  { program: 'tlsnap_ingress_direct', name: 'packets in: the ServerHello copied' },
] as const;
/** So few at a time that the reader keeps up and no run waits for another. */
const PER_SECOND = 2000;

const [rounds = 10, connections = 5000] = process.argv.slice(2).map(Number);
const [followed, left] = [new OwnCgroup(), new OwnCgroup()];
try {
  const load = compile(followed.folder, 'connections-load.c');
  const { clientHello, serverHello } = curlExchange();
  const args = [
    'rate',
    String(connections),
    String(PER_SECOND),
    clientHello.toString('hex'),
    serverHello.toString('hex'),
  ];
  const measure = async (cgroup: OwnCgroup): Promise<Map<string, ProgramRuns>> => {
    const before = programRuns(cgroup.path);
    await cgroup.run(load, args);
    return perConnection(before, programRuns(cgroup.path));
  };
  const client = ['--direction', 'outbound'];
  // Nobody listens on port 1.
  const measureAll = () =>
    withBpfStats(async () => {
      const all: { on: Map<string, ProgramRuns>; off: Map<string, ProgramRuns> }[] = [];
      for (let round = 0; round < rounds; round++) all.push({ off: await measure(left), on: await measure(followed) });
      return all;
    });
  const found = await left.whileCaptured(() => followed.whileCaptured(measureAll, client), [...client, '--port', '1']);
  report(found);
} finally {
  for (const cgroup of [followed, left]) cgroup.remove();
}

function perConnection(before: Map<string, ProgramRuns>, after: Map<string, ProgramRuns>): Map<string, ProgramRuns> {
  return new Map(
    [...after].map(([name, { runs, ns }]) => {
      const earlier = before.get(name) ?? { runs: 0, ns: 0 };
      return [name, { runs: (runs - earlier.runs) / connections, ns: (ns - earlier.ns) / connections }];
    }),
  );
}

function report(found: readonly { on: Map<string, ProgramRuns>; off: Map<string, ProgramRuns> }[]): void {
  const table = new Table({
    head: ['a client connection, ns in all runs', 'runs', 'out of scope', 'followed', 'more'],
    style: { head: [], border: [] },
  });
  for (const { program, name } of PROGRAMS) {
    const of = (which: 'on' | 'off') => found.map((round) => round[which].get(program) ?? { runs: NaN, ns: NaN });
    const [off, on] = [of('off'), of('on')];
    const more = on.map(({ ns }, index) => ns - (off[index]?.ns ?? NaN));
    const columns = [off.map(({ ns }) => ns), on.map(({ ns }) => ns), more];
    table.push([name, on[0]?.runs.toFixed(1), ...columns.map((values) => spreadText(spreadOf(values), 0))]);
  }
  console.log(table.toString());
}
