import { type FileHandle, open } from 'node:fs/promises';
import { Writable } from 'node:stream';

/**
 * A new file, mode 0600, that is on the disk, and closed, when the stream has finished. What was written goes there while more is
 * written: the end need not wait for all of it, and never much of the host's memory is taken by what still has to.
 */
export class DurableFile extends Writable {
  readonly #file: Promise<FileHandle>;
  #unsynced = 0;
  /** Where this fails, so does the file: the kernel tells of bytes it could not write once, and the next sync may succeed. */
  #syncing: Promise<void> = Promise.resolve();

  /** Creates it; the file must not exist. */
  constructor(path: string) {
    super({ highWaterMark: 1024 * 1024 });
    this.#file = open(path, 'wx', 0o600);
    this.#file.catch(untilAsked);
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
    const file = await this.#file;
    await file.writeFile(bytes);
    this.#unsynced += bytes.length;
    if (this.#unsynced < MAX_UNSYNCED) return;
    await this.#syncing;
    this.#unsynced = 0;
    this.#syncing = file.datasync();
    this.#syncing.catch(untilAsked);
  }

  async #finish(): Promise<void> {
    const file = await this.#file;
    await this.#syncing;
    await file.sync();
    await file.close();
  }

  async #close(): Promise<void> {
    const file = await this.#file.catch(untilAsked);
    await this.#syncing.catch(untilAsked);
    await file?.close();
  }
}

type Done = (error?: Error | null) => void;

/** For a failure that whoever waits for the promise later tells. */
const untilAsked = (): undefined => undefined;

const MAX_UNSYNCED = 32 * 1024 * 1024;
