import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { TLSNAP, type OwnCgroup } from './own-cgroup.js';

/** The command itself, in a process of its own, until it is ended. */
export class WatchedCapture {
  readonly #output: string;
  readonly #process: ChildProcess;
  readonly #exit: Promise<unknown>;
  #said = '';

  constructor(cgroup: OwnCgroup, flags: readonly string[] = []) {
    this.#output = join(cgroup.folder, 'connections.tlsnap.tar.gz');
    const window = ['--window', '1h', '--cgroup', cgroup.path, '--output', this.#output, '--verbose'];
    const args = [TLSNAP, 'capture', ...window, ...flags];
    this.#process = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    this.#exit = new Promise((resolve) => this.#process.once('exit', resolve));
    this.#process.stderr?.on('data', (chunk: Buffer) => (this.#said += chunk.toString()));
  }

  async armed(): Promise<void> {
    while (!/^armed/m.test(this.#said)) {
      if (this.#process.exitCode !== null) throw new Error(`the capture ended: ${this.#said}`);
      await sleep(20);
    }
  }

  cpuNs(): number {
    const stat = readFileSync(`/proc/${this.#process.pid}/stat`, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    // User and system time, fields 14 and 15 of proc(5), in ticks of 10 ms.
    return (Number(fields[11]) + Number(fields[12])) * 1e7;
  }

  /** Now. */
  residentBytes(): number {
    return this.#memory('VmRSS');
  }

  async end(): Promise<{ events: number; losses: Record<string, number>; peakBytes: number }> {
    let peakBytes = 0;
    const poll = setInterval(() => (peakBytes = Math.max(peakBytes, this.#memory('VmHWM'))), 200);
    this.#process.kill('SIGINT');
    await this.#exit;
    clearInterval(poll);
    const packed = ['-xzf', this.#output, '--to-stdout', '--wildcards', '*/manifest.json', '--occurrence=1'];
    const manifest = execFileSync('tar', packed, { encoding: 'utf8' });
    rmSync(this.#output, { force: true });
    const { coverage } = JSON.parse(manifest) as { coverage: { events: number; lossesByKind: Record<string, number> } };
    return { events: coverage.events, losses: coverage.lossesByKind, peakBytes };
  }

  #memory(field: 'VmRSS' | 'VmHWM'): number {
    try {
      const status = readFileSync(`/proc/${this.#process.pid}/status`, 'latin1');
      return Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1] ?? 0) * 1024;
    } catch {
      return 0;
    }
  }
}
