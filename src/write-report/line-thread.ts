import { Worker } from 'node:worker_threads';
import { receivedError } from '../errors.js';
import type { LineRenderer, MarkedLines, RenderedLines } from '../report/renderer.js';
import type { Hit } from '../intel/hit.js';
import type { FromLines, LineSettings, ToLines } from './line-protocol.js';

/** The reading thread's handle on a thread that renders lines (line-worker.ts), while this one reads and checks the snapshot. */
export class LineThread {
  readonly #worker: Worker;
  /** In the order in which they were sent, which is that of the answers. */
  readonly #waiting: Waiting[] = [];
  readonly #spare: ArrayBuffer[] = [];
  #failure: Error | null = null;

  constructor(workerData: LineSettings) {
    this.#worker = new Worker(new URL('./line-worker.js', import.meta.url), { workerData });
    this.#worker.on('message', (message: FromLines) => this.#take(message));
    this.#worker.on('error', (error) => this.#fail(error));
    this.#worker.on('messageerror', (error) => this.#fail(error));
    this.#worker.on('exit', () => this.#fail(new Error('the thread that renders lines ended')));
  }

  /**
   * What becomes of lines, in their order; `here` renders those for which the thread has no time. Throws a TlsnapError for the
   * first line that no snapshot has.
   */
  async *render(lines: AsyncIterable<MarkedLines>, here: LineRenderer): AsyncGenerator<RenderedLines, void> {
    const ahead: Promise<RenderedLines>[] = [];
    for await (const batch of this.#batches(lines)) {
      const rendered = this.#waiting.length < MAX_WAITING ? this.#send(batch) : this.#renderHere(batch, here);
      // It may fail before its turn to be waited for comes.
      rendered.catch(() => undefined);
      ahead.push(rendered);
      if (ahead.length > MAX_AHEAD) yield await (ahead.shift() as Promise<RenderedLines>);
    }
    for (const rendered of ahead) yield await rendered;
  }

  close(): void {
    void this.#worker.terminate();
  }

  /** Copies lines together, because the bytes of a batch change hands, and nobody else's may be among them. */
  async *#batches(lines: AsyncIterable<MarkedLines>): AsyncGenerator<ToLines, void> {
    let batch: Batch | undefined;
    for await (const { bytes, before, hits } of lines) {
      if (batch && batch.used + bytes.length > batch.bytes.byteLength) {
        yield batch;
        batch = undefined;
      }
      batch ??= { bytes: this.#room(bytes.length), used: 0, before, hits: new Map() };
      new Uint8Array(batch.bytes).set(bytes, batch.used);
      batch.used += bytes.length;
      for (const [line, found] of hits) batch.hits.set(line, found);
    }
    if (batch) yield batch;
  }

  #room(least: number): ArrayBuffer {
    const spare = least > BATCH_BYTES ? undefined : this.#spare.pop();
    return spare ?? new ArrayBuffer(Math.max(least, BATCH_BYTES));
  }

  #keepSpare(bytes: ArrayBuffer): void {
    if (bytes.byteLength === BATCH_BYTES) this.#spare.push(bytes);
  }

  #send(batch: ToLines): Promise<RenderedLines> {
    return new Promise((resolve, reject) => {
      if (this.#failure) return reject(this.#failure);
      this.#waiting.push({ resolve, reject });
      this.#worker.postMessage(batch, [batch.bytes]);
    });
  }

  #renderHere({ bytes, used, before, hits }: ToLines, here: LineRenderer): Promise<RenderedLines> {
    return new Promise((resolve) => {
      resolve(here({ bytes: Buffer.from(bytes, 0, used), before, hits }));
      this.#keepSpare(bytes);
    });
  }

  #take(message: FromLines): void {
    const waiting = this.#waiting.shift();
    if (message.kind === 'failed') return waiting?.reject(receivedError(message.error));
    const { bytes, rows, spare } = message;
    this.#keepSpare(spare);
    waiting?.resolve({ bytes, rows });
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    for (const { reject } of this.#waiting.splice(0)) reject(error);
  }
}

interface Batch extends ToLines {
  used: number;
  readonly hits: Map<number, readonly Hit[]>;
}

interface Waiting {
  readonly resolve: (rendered: RenderedLines) => void;
  readonly reject: (error: Error) => void;
}

/** Some 250 handshakes. */
const BATCH_BYTES = 512 * 1024;
/** Batches that are with the thread, or wait for it. */
const MAX_WAITING = 3;
/** Batches that were sent or rendered while the oldest is waited for. */
const MAX_AHEAD = 6;
