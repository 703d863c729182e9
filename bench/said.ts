import type { ChildProcess } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';

/** What a load prints. */
export class Said {
  #text = '';
  readonly #child: ChildProcess;
  readonly #exit: Promise<number | null>;

  constructor(child: ChildProcess) {
    this.#child = child;
    child.stdout?.on('data', (chunk: Buffer) => (this.#text += chunk.toString()));
    this.#exit = new Promise((resolve) => child.once('exit', resolve));
  }

  async lines(count: number): Promise<void> {
    while (this.#text.split('\n').length <= count) {
      if (this.#child.exitCode !== null) throw new Error('the load ended early');
      await sleep(20);
    }
  }

  async ended(): Promise<void> {
    if ((await this.#exit) !== 0) throw new Error('the load failed');
  }
}
