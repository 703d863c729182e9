import { parentPort, workerData } from 'node:worker_threads';
import { sentError } from '../../errors.js';
import { TimelineFile } from '../../snapshot/timeline-file.js';
import { readBatch } from './hello-batch.js';
import { HelloRowJson } from './hello-row-json.js';
import { ReorderWindow } from './reorder-window.js';
import type { FromRows, RowSettings, ToRows } from './row-protocol.js';

/** The thread that makes rows: hellos to lines of the timeline, in order of time, hashed and staged. */
class Rows {
  readonly #timeline: TimelineFile;
  readonly #rows = new HelloRowJson();
  readonly #inOrder: ReorderWindow;

  constructor({ path }: RowSettings) {
    const timeline = new TimelineFile(path);
    this.#timeline = timeline;
    this.#inOrder = new ReorderWindow((timeNs, json) => timeline.addJson(timeNs, json));
  }

  take(message: ToRows): void {
    if (message.kind === 'batch') this.#batch(message.bytes, message.used);
    else this.#finish();
  }

  #batch(bytes: ArrayBuffer, used: number): void {
    readBatch(bytes, used, (hello, ends) => this.#inOrder.add(hello.timeNs, this.#rows.json(hello, ends)));
    send({ kind: 'taken', bytes }, [bytes]);
  }

  #finish(): void {
    this.#inOrder.end();
    send({ kind: 'finished', member: this.#timeline.finish() });
    parentPort?.close();
  }
}

function send(message: FromRows, transfer: readonly ArrayBuffer[] = []): void {
  parentPort?.postMessage(message, transfer);
}

function guarded(body: () => void): void {
  try {
    body();
  } catch (error) {
    send({ kind: 'failed', error: sentError('rows', error) });
    parentPort?.close();
  }
}

let rows: Rows | null = null;
guarded(() => {
  rows = new Rows(workerData as RowSettings);
});
parentPort?.on('message', (message: ToRows) => guarded(() => rows?.take(message)));
