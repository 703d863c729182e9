/**
 * From Enter to a flight recorder's slots and map being read, with as many entries in each as asked for, and to the
 * snapshot being written.
 *
 *   node --import tsx bench/dump.ts [ROUNDS] [ENTRIES]
 *
 * Needs root and python3, and the bundle of `npm run bundle`, which is what a responder starts. README.md says how to read the figures.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { loadavg } from 'node:os';
import { join, resolve } from 'node:path';
import Table from 'cli-table3';
import { bundleFolder } from '../scripts/bundle/folder.js';
import { OwnCgroup } from './own-cgroup.js';
import { spreadOf, spreadText } from './spread.js';

interface Status {
  readonly slots: { readonly used: number };
  readonly fingerprints: { readonly used: number };
}

interface Dumped {
  readonly readMs: number;
  readonly handshakes: number;
}

const [rounds = 10, entries = 10_000] = process.argv.slice(2).map(Number);
const tlsnap = join(await bundleFolder(resolve(import.meta.dirname, '..')), 'tlsnap');
const cgroup = new OwnCgroup();
const bpffs = join(cgroup.folder, 'bpffs');
mkdirSync(bpffs);
execFileSync('mount', ['-t', 'bpf', 'bpf', bpffs]);
const pins = join(bpffs, 'tlsnap');
try {
  record('start', '--cgroup', cgroup.path, '--memory', '64MiB');
  await cgroup.run('python3', [join(import.meta.dirname, 'recorder-load.py'), String(entries)]);
  const { slots, fingerprints } = record('status') as Status;
  const measured: { read: number[]; written: number[] } = { read: [], written: [] };
  for (let round = 0; round < rounds; round++) {
    const start = performance.now();
    const { readMs } = record('dump', '--output', join(cgroup.folder, `${round}.tlsnap.tar.gz`)) as Dumped;
    measured.written.push(performance.now() - start);
    measured.read.push(readMs);
  }
  const table = new Table({
    head: [`a dump of ${slots.used} slots and ${fingerprints.used} fingerprints`, 'ms', 'target'],
    style: { head: [], border: [] },
  });
  table.push(['from the start of the process to both being read', spreadText(spreadOf(measured.read), 0), '200']);
  table.push(['from the start to the signed snapshot', spreadText(spreadOf(measured.written), 0), '']);
  console.log(table.toString());
  console.log(`load average ${loadavg()[0]?.toFixed(1) ?? '?'}`);
} finally {
  // Its pins go with it, whatever failed before.
  execFileSync('umount', [bpffs]);
  cgroup.remove();
}

function record(command: string, ...args: readonly string[]): unknown {
  const words = ['record', command, '--pins', pins, '--json', '--quiet', ...args];
  return JSON.parse(execFileSync(tlsnap, words, { encoding: 'utf8', maxBuffer: 1 << 28 }));
}
