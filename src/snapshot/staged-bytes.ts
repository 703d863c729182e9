import { closeSync, openSync, writeSync } from 'node:fs';
import { ioError } from '../errors.js';

/** Where the bytes of a staged member go. */
export interface StagedBytes {
  readonly path: string;
  /** The bytes are not kept. */
  write(bytes: Uint8Array): void;
  /** Nothing more comes. */
  end(): void;
  /** Whether or not all was written. May be called twice. */
  close(): void;
}

/** A file as it will be packed. */
export class PlainBytes implements StagedBytes {
  readonly path: string;
  readonly #fd: number;
  #closed = false;

  /** Creates the file; it must not exist. */
  constructor(path: string) {
    this.path = path;
    try {
      this.#fd = openSync(path, 'wx', 0o600);
    } catch (error) {
      throw ioError(path, error);
    }
  }

  write(bytes: Uint8Array): void {
    try {
      for (let at = 0; at < bytes.length;) at += writeSync(this.#fd, bytes, at);
    } catch (error) {
      throw ioError(this.path, error);
    }
  }

  end(): void {
    this.close();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    closeSync(this.#fd);
  }
}
