import { createReadStream } from 'node:fs';
import { Transform, type TransformCallback } from 'node:stream';
import { crc32 } from 'node:zlib';
import { BlockDeflater } from './block-deflater.js';
import { joinedCrc32 } from './crc32-joined.js';
import { GZIP_HEADER, gzipTrailer } from './gzip-member.js';
import type { DeflatedFile } from './members.js';

/** A run of the input that is deflated already. */
export interface Prepared {
  /** Where in the input it begins, in bytes. */
  readonly start: number;
  readonly size: number;
  readonly deflated: DeflatedFile;
}

/**
 * One gzip member (RFC 1952), deflated in blocks on zlib's threads. Any gunzip reads it, the size is within a percent of one
 * stream's, and the same bytes give the same member however many threads there are. Where a run is prepared, its blocks are put in
 * place of the input's bytes, which are not looked at.
 */
export class ParallelGzip extends Transform {
  readonly #deflater: BlockDeflater;
  readonly #prepared: Prepared[];
  #crc = 0;
  #size = 0;
  /** Called when whoever reads wants more. */
  #onRead = (): void => undefined;

  /** @param prepared in their order */
  constructor(level: number, prepared: readonly Prepared[] = []) {
    super();
    this.#deflater = new BlockDeflater(level, (deflated) => this.push(deflated));
    this.#prepared = [...prepared];
    this.push(GZIP_HEADER);
  }

  override _transform(chunk: Buffer, _: BufferEncoding, done: TransformCallback): void {
    this.#take(chunk).then(
      () => done(),
      (error: unknown) => done(error as Error),
    );
  }

  override _flush(done: TransformCallback): void {
    this.#deflater.finish().then(
      () => done(null, gzipTrailer({ crc32: this.#crc, size: this.#size })),
      (error: unknown) => done(error as Error),
    );
  }

  override _read(size: number): void {
    super._read(size);
    this.#onRead();
  }

  async #take(chunk: Buffer): Promise<void> {
    for (let at = 0; at < chunk.length;) {
      const [run] = this.#prepared;
      const toRun = run ? run.start - this.#size : Infinity;
      if (run && toRun === 0) await this.#splice(run);
      // Behind a run's blocks, its bytes pass by until its end.
      const [left, given] = run && toRun <= 0 ? [toRun + run.size, false] : [toRun, true];
      const piece = chunk.subarray(at, at + Math.min(left, chunk.length - at));
      if (given) {
        this.#crc = crc32(piece, this.#crc);
        this.#deflater.add(piece);
        await this.#deflater.keptUp();
      }
      at += piece.length;
      this.#size += piece.length;
      if (run && this.#size === run.start + run.size) this.#prepared.shift();
    }
  }

  async #splice({ size, deflated }: Prepared): Promise<void> {
    await this.#deflater.flush();
    for await (const blocks of createReadStream(deflated.path, { highWaterMark: READ_BYTES })) {
      if (!this.push(blocks)) await new Promise<void>((resolve) => (this.#onRead = resolve));
    }
    this.#crc = joinedCrc32(this.#crc, deflated.crc32, size);
  }
}

const READ_BYTES = 1024 * 1024;
