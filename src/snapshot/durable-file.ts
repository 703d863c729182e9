import { close, fdatasync, fsync, openSync, write } from 'node:fs';
import { Writable } from 'node:stream';
import { promisify } from 'node:util';

/**
 * A new file, mode 0600, that is on the disk, and closed, when the stream has finished. What was written goes there while more is
 * written: the end need not wait for all of it, and never much of the host's memory is taken by what still has to.
 */
export class DurableFile extends Writable {
  readonly #fd: number;
  #closed = false;
  #unsynced = 0;
  /** Where this fails, so does the file: the kernel tells of bytes it could not write once, and the next sync may succeed. */
  #syncing: Promise<void> = Promise.resolve();

  /**
   * Creates the file, which must not exist. It does so at once and not a turn later: who removes it after a failure must find it.
   * @throws what Node's fs throws
   */
  constructor(path: string) {
    super({ highWaterMark: 1024 * 1024 });
    this.#fd = openSync(path, 'wx', 0o600);
  }

  override _write(bytes: Buffer, _: BufferEncoding, done: Done): void {
    this.#append(bytes).then(() => done(), done);
  }

  override _final(done: Done): void {
    this.#finish().then(() => done(), done);
  }

  override _destroy(error: Error | null, done: Done): void {
    this.#close().then(() => done(error), done);
  }

  async #append(bytes: Buffer): Promise<void> {
    for (let at = 0; at < bytes.length;) at += (await writing(this.#fd, bytes, at)).bytesWritten;
    this.#unsynced += bytes.length;
    if (this.#unsynced < MAX_UNSYNCED) return;
    await this.#syncing;
    this.#unsynced = 0;
    this.#syncing = promisify(fdatasync)(this.#fd);
    // It is waited for later.
    this.#syncing.catch(() => undefined);
  }

  async #finish(): Promise<void> {
    await this.#syncing;
    await promisify(fsync)(this.#fd);
    await this.#close();
  }

  async #close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#syncing.catch(() => undefined);
    await promisify(close)(this.#fd);
  }
}

type Done = (error?: Error | null) => void;

const writing = promisify(write);
/** Bytes. */
const MAX_UNSYNCED = 32 * 1024 * 1024;
