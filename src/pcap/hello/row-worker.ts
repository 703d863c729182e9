import { parentPort, workerData } from 'node:worker_threads';
import { sentError } from '../../errors.js';
import { DeflatedBytes } from '../../snapshot/deflated-bytes.js';
import { TimelineFile } from '../../snapshot/timeline-file.js';
import { findHellos, readHello } from './hello-batch.js';
import { HelloRowJson } from './hello-row-json.js';
import { ReorderWindow } from './reorder-window.js';
import type { FromRows, RowSettings, ToRows } from './row-protocol.js';

/** The thread that makes rows: hellos to lines of the timeline, in order of time, hashed, deflated and staged. */
class Rows {
  readonly #timeline: TimelineFile;
  readonly #deflated: DeflatedBytes;
  readonly #rows = new HelloRowJson();
  readonly #inOrder = new ReorderWindow<Waiting>((timeNs, waiting) => this.#row(timeNs, waiting));
  #waiting = 0;

  constructor({ path }: RowSettings) {
    this.#deflated = new DeflatedBytes(`${path}.deflated`);
    this.#timeline = new TimelineFile(path, this.#deflated);
  }

  async take(message: ToRows): Promise<void> {
    if (message.kind === 'batch') await this.#batch(message.bytes, message.used);
    else await this.#finish();
  }

  async #batch(bytes: SharedArrayBuffer, used: number): Promise<void> {
    // Hellos far from their places must not keep every batch they came in.
    if (this.#waiting >= MAX_WAITING) this.#inOrder.end();
    this.#waiting++;
    const batch: Batch = { bytes, buffer: Buffer.from(bytes), left: 0 };
    findHellos(batch.buffer, used, () => batch.left++);
    findHellos(batch.buffer, used, (at, timeNs, size) => this.#inOrder.add(timeNs, { batch, at }, size));
    await this.#deflated.keptUp();
    send({ kind: 'taken' });
  }

  #row(timeNs: bigint, { batch, at }: Waiting): void {
    const { hello, ends } = readHello(batch.buffer, at);
    this.#timeline.addFields(timeNs, this.#rows.fields(hello, ends));
    if (--batch.left > 0) return;
    this.#waiting--;
    send({ kind: 'spare', bytes: batch.bytes });
  }

  async #finish(): Promise<void> {
    this.#inOrder.end();
    send({ kind: 'finished', member: await this.#timeline.finish() });
    parentPort?.close();
  }
}

/** A batch of which not all rows are made yet. */
interface Batch {
  readonly bytes: SharedArrayBuffer;
  readonly buffer: Buffer;
  left: number;
}

/** A hello in its batch. */
interface Waiting {
  readonly batch: Batch;
  readonly at: number;
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
