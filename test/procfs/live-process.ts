import { spawn, type ChildProcess, type SpawnOptions } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';

/** Starts a process that ends with the test. Its output can be waited for line by line. */
export function start(t: ExecutionContext, command: string, args: string[], options: SpawnOptions = {}): Started {
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'], ...options });
  const ended = once(child, 'exit');
  t.teardown(async () => {
    child.kill('SIGKILL');
    if (child.exitCode === null && child.signalCode === null) await ended;
  });
  return new Started(child, ended);
}

export class Started {
  readonly child: ChildProcess;
  readonly #ended: Promise<unknown>;
  #text = '';

  constructor(child: ChildProcess, ended: Promise<unknown>) {
    this.child = child;
    this.#ended = ended;
    child.stdout?.on('data', (chunk: Buffer) => (this.#text += chunk.toString('latin1')));
  }

  get pid(): number {
    if (this.child.pid === undefined) throw new Error('not started');
    return this.child.pid;
  }

  /** The next line of its output. */
  async line(withinMs = 20_000): Promise<string> {
    for (;;) {
      const end = this.#text.indexOf('\n');
      if (end >= 0) {
        const line = this.#text.slice(0, end);
        this.#text = this.#text.slice(end + 1);
        return line;
      }
      if (!this.child.stdout) throw new Error('no output');
      await once(this.child.stdout, 'data', { signal: AbortSignal.timeout(withinMs) });
    }
  }

  write(text: string): void {
    this.child.stdin?.write(text);
  }

  async kill(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.#ended;
  }
}

/** Waits until the process has become `comm`: between fork and exec it is still a copy of its parent. */
export async function becomes(pid: number, comm: string): Promise<void> {
  for (let tries = 0; tries < 500; tries++) {
    if (readFileSync(`/proc/${pid}/comm`, 'utf8') === `${comm}\n`) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`pid ${pid} did not become ${comm}`);
}

export function temporaryFolder(t: ExecutionContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'tlsnap-procfs-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export const reasonAgainstProc = process.platform === 'linux' ? undefined : '/proc is on Linux only';
export const reasonAgainstRoot = process.getuid?.() === 0 ? reasonAgainstProc : 'not root';
