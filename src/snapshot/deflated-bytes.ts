import { createReadStream, createWriteStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { constants, crc32, createInflateRaw } from 'node:zlib';
import { ioError } from '../errors.js';
import { BlockDeflater, GZIP_LEVEL } from './block-deflater.js';
import type { DeflatedFile } from './members.js';
import { PlainBytes, type StagedBytes } from './staged-bytes.js';

/**
 * The content of a file, deflated while it is written: nothing has to be read again when the snapshot is packed, and the disk
 * holds a fraction of it.
 */
export class DeflatedBytes implements StagedBytes {
  readonly path: string;
  readonly #file: PlainBytes;
  readonly #deflater: BlockDeflater;
  #crc = 0;

  /** Creates the file; it must not exist. */
  constructor(path: string) {
    this.path = path;
    this.#file = new PlainBytes(path);
    this.#deflater = new BlockDeflater(GZIP_LEVEL, (deflated) => this.#file.write(deflated));
  }

  write(bytes: Uint8Array): void {
    this.#crc = crc32(bytes, this.#crc);
    this.#deflater.add(bytes);
  }

  /** What to wait for before more is written; undefined where nothing need be waited for. */
  keptUp(): Promise<void> | undefined {
    return this.#deflater.keptUp();
  }

  end(): void {
    // What is deflated comes later: finish().
  }

  /** Has the rest written, and closes. */
  async finish(): Promise<DeflatedFile> {
    await this.#deflater.flush();
    this.close();
    return { path: this.path, crc32: this.#crc };
  }

  close(): void {
    this.#file.close();
  }
}

/** Writes the content of a finished file to another one, which must not exist. */
export async function inflateFile(from: string, to: string): Promise<void> {
  try {
    // Its stream has no end of its own.
    const inflating = createInflateRaw({ finishFlush: constants.Z_SYNC_FLUSH });
    await pipeline(createReadStream(from), inflating, createWriteStream(to, { flags: 'wx', mode: 0o600 }));
  } catch (error) {
    throw ioError(to, error);
  }
}
