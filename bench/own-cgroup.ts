import { spawn, execFileSync, type ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { findCgroup } from '../src/capture/cgroup2.js';

/** A cgroup and a folder of the benchmark's own: what it measures is the only traffic that is recorded. */
export class OwnCgroup {
  readonly path: string;
  readonly folder = mkdtempSync(join(tmpdir(), 'tlsnap-bench-'));

  constructor() {
    const { mount } = findCgroup(undefined);
    if (mount === null) throw new Error('no cgroup2 is mounted');
    this.path = join(mount, basename(this.folder));
    mkdirSync(this.path);
  }

  /** A process that is in the cgroup before its first instruction. */
  spawn(command: string, args: readonly string[]): ChildProcess {
    const enter = 'echo $$ > "$0/cgroup.procs" && exec "$@"';
    return spawn('/bin/sh', ['-c', enter, this.path, command, ...args], { stdio: ['pipe', 'pipe', 'inherit'] });
  }

  /** Runs to the end; the numbers that it prints, and the processor time of the whole cgroup meanwhile, in ns. */
  async run(command: string, args: readonly string[]): Promise<{ numbers: number[]; cpuNs: number }> {
    const before = this.cpuNs();
    const child = this.spawn(command, args);
    const numbers: number[] = [];
    if (!child.stdout) throw new Error(`${command} has no output`);
    for await (const line of createInterface({ input: child.stdout })) numbers.push(Number(line));
    if ((await ended(child)) !== 0) throw new Error(`${command} ended with ${child.exitCode ?? child.signalCode}`);
    return { numbers, cpuNs: this.cpuNs() - before };
  }

  /** Runs `body` while a real capture with these flags, in a process of its own, watches the cgroup. */
  async whileCaptured<T>(body: () => Promise<T>, flags: readonly string[] = []): Promise<T> {
    const output = join(this.folder, `${Date.now()}.tlsnap.tar.gz`);
    const args = [
      TLSNAP,
      'capture',
      '--window',
      '1h',
      '--cgroup',
      this.path,
      '--output',
      output,
      '--verbose',
      ...flags,
    ];
    const capture = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    const said = createInterface({ input: capture.stderr });
    await new Promise<void>((armed, failed) => {
      const lines: string[] = [];
      said.on('line', (line) => (line.startsWith('armed') ? armed() : lines.push(line)));
      capture.once('exit', (code) => failed(new Error(`the capture ended with ${code}: ${lines.join('\n')}`)));
    });
    try {
      return await body();
    } finally {
      capture.kill('SIGINT');
      const code = await ended(capture);
      if (code !== 0) console.error(`the capture ended with ${code}: something was lost`);
      rmSync(output, { force: true });
    }
  }

  remove(): void {
    rmdirSync(this.path);
    rmSync(this.folder, { recursive: true });
  }

  /** Processor time of everything that ever ran in it, in ns. */
  cpuNs(): number {
    const usage = /^usage_usec (\d+)$/m.exec(readFileSync(join(this.path, 'cpu.stat'), 'utf8'));
    return Number(usage?.[1]) * 1000;
  }
}

/** Compiles a C program of this folder into `folder`, and returns its path. */
export function compile(folder: string, source: string, ...libraries: string[]): string {
  const program = join(folder, source.replace(/\.c$/, ''));
  execFileSync('gcc', ['-O2', '-o', program, join(import.meta.dirname, source), ...libraries], { stdio: 'inherit' });
  return program;
}

function ended(child: ChildProcess): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve(child.exitCode);
  return new Promise((done) => child.once('exit', done));
}

export const TLSNAP = resolve(import.meta.dirname, '../bin/run.js');
