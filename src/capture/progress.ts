import type { WriteStream } from 'node:tty';
import type { WindowProgress } from './window.js';

/** One line on a terminal that says how the window goes; nothing where the stream is no terminal. */
export class ProgressLine {
  readonly #stream: WriteStream | null;
  #shown = false;

  constructor(stream: WriteStream | null) {
    this.#stream = stream?.isTTY ? stream : null;
  }

  show({ remainingMs, processes, counters }: WindowProgress): void {
    const hellos = counters.CLIENT_HELLOS + counters.SERVER_HELLOS;
    const lost = counters.LOST_HELLOS + counters.CUT_HELLOS;
    const left = Math.ceil(remainingMs / 1000);
    this.#write(`${left} s left · ${hellos} hellos · ${processes} processes · ${lost} lost`);
  }

  say(text: string): void {
    this.#write(text);
  }

  clear(): void {
    if (this.#shown) this.#stream?.write('\r\x1b[K');
    this.#shown = false;
  }

  #write(text: string): void {
    if (!this.#stream) return;
    // Never wider than the terminal: a wrapped line could not be taken back.
    this.#stream.write(`\r\x1b[K${text.slice(0, Math.max(0, this.#stream.columns - 1))}`);
    this.#shown = true;
  }
}
