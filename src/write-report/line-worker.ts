import { parentPort, workerData } from 'node:worker_threads';
import { sentError } from '../errors.js';
import { csvRenderer } from '../report/csv.js';
import type { FromLines, LineSettings, ToLines } from './line-protocol.js';

// A thread that renders lines: see line-thread.ts.

const { table, snapshot } = workerData as LineSettings;
const render = csvRenderer(table).lines?.(snapshot);

parentPort?.on('message', ({ bytes: spare, used, before, hits }: ToLines) => {
  try {
    if (!render) throw new Error(`no lines of ${table} can be rendered`);
    const { bytes, rows } = render({ bytes: Buffer.from(spare, 0, used), before, hits });
    send({ kind: 'rendered', bytes, rows, spare }, [bytes.buffer, spare]);
  } catch (error) {
    send({ kind: 'failed', error: sentError('lines', error) }, []);
  }
});

function send(message: FromLines, transferred: ArrayBuffer[]): void {
  parentPort?.postMessage(message, transferred);
}
