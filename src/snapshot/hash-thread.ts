import { createHash } from 'node:crypto';
import { Worker } from 'node:worker_threads';
import type { FromHash, ToHash } from './hash-protocol.js';

/** Takes the SHA-256 of bytes that come in pieces. */
export interface Sha256 {
  /** The bytes are not kept. What it returns is waited for before more comes. */
  update(bytes: Uint8Array): Promise<void> | undefined;
  /** In lowercase hex; asked once, at the end. */
  digest(): string | Promise<string>;
  /** Whether or not the end was reached. May be called twice. */
  close(): void;
}

/** For `size` bytes: a thread of its own where that takes off more than it costs. */
export function sha256Of(size: number): Sha256 {
  return BUILT && size >= MIN_BYTES ? new HashThread() : new OwnSha256();
}

/** On the thread that asks. */
class OwnSha256 implements Sha256 {
  readonly #hash = createHash('sha256');

  update(bytes: Uint8Array): undefined {
    this.#hash.update(bytes);
  }

  digest(): string {
    return this.#hash.digest('hex');
  }

  close(): void {
    // There is nothing to let go.
  }
}

/** The reading thread's handle on a thread that hashes (hash-worker.ts), which gets copies in memory that both share. */
class HashThread implements Sha256 {
  readonly #worker: Worker;
  readonly #spare: SharedArrayBuffer[] = [];
  #made = 0;
  #waiting: Waiting<void> | null = null;
  #finishing: Waiting<string> | null = null;
  #failure: Error | null = null;

  constructor() {
    this.#worker = new Worker(new URL('./hash-worker.js', import.meta.url));
    this.#worker.on('message', (message: FromHash) => this.#take(message));
    this.#worker.on('error', (error) => this.#fail(error));
    this.#worker.on('exit', () => this.#fail(new Error('the thread that hashes ended')));
  }

  async update(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; at += BUFFER_BYTES) {
      const piece = bytes.subarray(at, at + BUFFER_BYTES);
      const buffer = await this.#buffer();
      new Uint8Array(buffer).set(piece);
      this.#send({ kind: 'bytes', bytes: buffer, used: piece.length });
    }
  }

  digest(): Promise<string> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== null) return reject(this.#failure);
      this.#finishing = { resolve, reject };
      this.#send({ kind: 'finish' });
    });
  }

  close(): void {
    void this.#worker.terminate();
  }

  async #buffer(): Promise<SharedArrayBuffer> {
    if (this.#spare.length === 0 && this.#made >= MAX_BUFFERS) await this.#keptUp();
    const spare = this.#spare.pop();
    if (spare) return spare;
    this.#made++;
    return new SharedArrayBuffer(BUFFER_BYTES);
  }

  #keptUp(): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== null) reject(this.#failure);
      else this.#waiting = { resolve, reject };
    });
  }

  #send(message: ToHash): void {
    this.#worker.postMessage(message);
  }

  #take(message: FromHash): void {
    if (message.kind === 'digest') return this.#finishing?.resolve(message.sha256);
    this.#spare.push(message.bytes);
    this.#waiting?.resolve();
    this.#waiting = null;
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#waiting?.reject(error);
    this.#finishing?.reject(error);
  }
}

interface Waiting<Value> {
  readonly resolve: (value: Value) => void;
  readonly reject: (error: Error) => void;
}

/** Where it is not, there is no file that a thread could start with. */
const BUILT = import.meta.filename.endsWith('.js');
/** Some 15,000 handshakes: their digest takes as long as a thread to start. */
const MIN_BYTES = 32 * 1024 * 1024;
/** As large as the pieces in which a snapshot is inflated. */
const BUFFER_BYTES = 256 * 1024;
const MAX_BUFFERS = 16;
