import { createHash } from 'node:crypto';
import { parentPort } from 'node:worker_threads';
import type { FromHash, ToHash } from './hash-protocol.js';

/** The thread that hashes what another one reads. */
const hash = createHash('sha256');

parentPort?.on('message', (message: ToHash) => {
  if (message.kind === 'bytes') {
    hash.update(Buffer.from(message.bytes, 0, message.used));
    send({ kind: 'spare', bytes: message.bytes });
  } else {
    send({ kind: 'digest', sha256: hash.digest('hex') });
    parentPort?.close();
  }
});

function send(message: FromHash): void {
  parentPort?.postMessage(message);
}
