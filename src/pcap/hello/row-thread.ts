import { Worker } from 'node:worker_threads';
import { receivedError } from '../../errors.js';
import type { StagedMember } from '../../snapshot/members.js';
import type { StagedTimeline } from '../../snapshot/writer.js';
import type { HelloEnds } from '../flow/hello-extractor.js';
import type { CapturedHello } from './captured-hello.js';
import { HelloBatch, roomFor } from './hello-batch.js';
import type { FromRows, RowSettings, ToRows } from './row-protocol.js';

/** Takes the hellos of a capture, and is asked now and then to be waited for. */
export interface HelloTaker {
  /** `hello.raw` may be borrowed. */
  add(hello: CapturedHello, ends: HelloEnds): void;
  /** What to wait for before more is added; undefined where nothing need be waited for. */
  keptUp(): Promise<void> | undefined;
}

/**
 * The reading thread's handle on the thread that makes rows of hellos and stages them (row-worker.ts), so that a capture is read on
 * one processor while its hellos are described on another. At most MAX_AHEAD batches and those of one piece of the file are under way.
 */
export class RowThread implements HelloTaker, StagedTimeline {
  readonly #worker: Worker;
  readonly #spare: SharedArrayBuffer[] = [];
  #batch = newBatch();
  #ahead = 0;
  #waiting: Waiting<void> | null = null;
  #finishing: Waiting<StagedMember> | null = null;
  #failure: Error | null = null;
  #ended: Promise<unknown> | null = null;

  constructor(path: string) {
    const workerData: RowSettings = { path };
    this.#worker = new Worker(new URL('./row-worker.js', import.meta.url), { workerData });
    this.#worker.on('message', (message: FromRows) => this.#take(message));
    this.#worker.on('error', (error) => this.#fail(error));
    this.#worker.on('exit', () => this.#fail(new Error('the thread that makes rows ended')));
  }

  add(hello: CapturedHello, ends: HelloEnds): void {
    if (this.#batch.add(hello, ends)) return;
    this.#sendBatch(roomFor(hello));
    this.#batch.add(hello, ends);
  }

  keptUp(): Promise<void> | undefined {
    if (this.#failure === null && this.#ahead < MAX_AHEAD) return undefined;
    return new Promise((resolve, reject) => {
      if (this.#failure !== null) reject(this.#failure);
      else this.#waiting = { resolve, reject };
    });
  }

  /** Has the rest staged. Rejects with a TlsnapError where something could not be written. */
  finish(): Promise<StagedMember> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== null) return reject(this.#failure);
      this.#finishing = { resolve, reject };
      this.#sendBatch(0);
      this.#send({ kind: 'finish' });
    });
  }

  close(): void {
    this.#ended ??= this.#worker.terminate();
  }

  /** Resolves when the thread, once closed, writes nothing any more. */
  async ended(): Promise<void> {
    await this.#ended;
  }

  #sendBatch(least: number): void {
    const { bytes, used, count } = this.#batch;
    const spare = least > BATCH_BYTES ? undefined : this.#spare.pop();
    this.#batch = spare ? new HelloBatch(spare) : newBatch(least);
    if (count === 0) return;
    this.#ahead++;
    this.#send({ kind: 'batch', bytes, used, count });
  }

  #send(message: ToRows): void {
    this.#worker.postMessage(message);
  }

  #take(message: FromRows): void {
    switch (message.kind) {
      case 'taken':
        if (--this.#ahead >= MAX_AHEAD) return;
        this.#waiting?.resolve();
        this.#waiting = null;
        return;
      case 'spare':
        if (message.bytes.byteLength === BATCH_BYTES) this.#spare.push(message.bytes);
        return;
      case 'finished':
        this.#finishing?.resolve(message.member);
        return;
      case 'failed':
        this.#fail(receivedError(message.error));
    }
  }

  #fail(error: Error): void {
    if (this.#failure !== null) return;
    this.#failure = error;
    this.#waiting?.reject(error);
    this.#finishing?.reject(error);
  }
}

function newBatch(least = 0): HelloBatch {
  return new HelloBatch(new SharedArrayBuffer(Math.max(least, BATCH_BYTES)));
}

interface Waiting<Value> {
  readonly resolve: (value: Value) => void;
  readonly reject: (error: Error) => void;
}

/** Some 400 hellos. */
const BATCH_BYTES = 256 * 1024;
/** What is read while the thread starts. */
const MAX_AHEAD = 24;
