import { parentPort, workerData } from 'node:worker_threads';
import { sentError } from '../../errors.js';
import { DeflatedBytes } from '../../snapshot/deflated-bytes.js';
import { TimelineFile } from '../../snapshot/timeline-file.js';
import { HelloBatch } from './hello-batch.js';
import { HelloRowJson } from './hello-row-json.js';
import { ReorderWindow } from './reorder-window.js';
import type { FromRows, RowSettings, ToRows } from './row-protocol.js';

/** The thread that makes rows: hellos to lines of the timeline, in order of time, hashed, deflated and staged. */
class Rows {
  readonly #timeline: TimelineFile;
  readonly #deflated: DeflatedBytes;
  readonly #rows = new HelloRowJson();
  readonly #inOrder = new ReorderWindow((seconds, nanos, item) => this.#row(seconds, nanos, item));
  /** Of which not all rows are made yet, each at a place of its own. */
  readonly #waiting: (Waiting | undefined)[] = Array.from({ length: MAX_WAITING });

  constructor({ path }: RowSettings) {
    this.#deflated = new DeflatedBytes(`${path}.deflated`);
    this.#timeline = new TimelineFile(path, this.#deflated);
  }

  async take(message: ToRows): Promise<void> {
    if (message.kind === 'batch') await this.#batch(message);
    else await this.#finish();
  }

  async #batch({ bytes, used, count }: Extract<ToRows, { kind: 'batch' }>): Promise<void> {
    // Hellos far from their places must not keep every batch they came in.
    while (!this.#waiting.includes(undefined)) this.#inOrder.passHalf();
    const place = this.#waiting.indexOf(undefined);
    const batch = new HelloBatch(bytes);
    this.#waiting[place] = { batch, left: count };
    batch.each(used, (seconds, nanos, at) => this.#inOrder.add(seconds, nanos, at * MAX_WAITING + place));
    await this.#deflated.keptUp();
    send({ kind: 'taken' });
  }

  #row(seconds: number, nanos: number, item: number): void {
    const place = item % MAX_WAITING;
    const waiting = this.#waiting[place];
    if (!waiting) return;
    const { hello, ends } = waiting.batch.read((item - place) / MAX_WAITING);
    this.#timeline.addFields(seconds, nanos, this.#rows.fields(seconds, nanos, hello, ends));
    if (--waiting.left > 0) return;
    this.#waiting[place] = undefined;
    send({ kind: 'spare', bytes: waiting.batch.bytes });
  }

  async #finish(): Promise<void> {
    this.#inOrder.end();
    send({ kind: 'finished', member: await this.#timeline.finish() });
    parentPort?.close();
  }
}

interface Waiting {
  readonly batch: HelloBatch;
  /** Hellos of which no row is made yet. */
  left: number;
}

function send(message: FromRows): void {
  parentPort?.postMessage(message);
}

function fail(error: unknown): void {
  send({ kind: 'failed', error: sentError('rows', error) });
  parentPort?.close();
}

/** Of 256 KiB each. */
const MAX_WAITING = 64;

try {
  const rows = new Rows(workerData as RowSettings);
  parentPort?.on('message', (message: ToRows) => void rows.take(message).catch(fail));
} catch (error) {
  fail(error);
}
