import { availableParallelism } from 'node:os';
import { Transform, type TransformCallback } from 'node:stream';
import { promisify } from 'node:util';
import { constants, crc32, deflateRaw, type InputType, type ZlibOptions } from 'node:zlib';

/**
 * One gzip member (RFC 1952), deflated in blocks on zlib's threads as pigz does it: each block starts from the 32 KiB before it,
 * and ends on a byte. Any gunzip reads it, the size is within a percent of one stream's, and the same bytes give the same
 * member however many threads there are.
 */
export class ParallelGzip extends Transform {
  readonly #level: number;
  readonly #jobs: Promise<Buffer>[] = [];
  #block = Buffer.allocUnsafeSlow(BLOCK_BYTES);
  #filled = 0;
  #before: Buffer | undefined;
  #crc = 0;
  #size = 0;

  constructor(level: number) {
    super();
    this.#level = level;
    this.push(HEADER);
  }

  override _transform(chunk: Buffer, _: BufferEncoding, done: TransformCallback): void {
    this.#crc = crc32(chunk, this.#crc);
    this.#size += chunk.length;
    this.#take(chunk).then(
      () => done(),
      (error: unknown) => done(error as Error),
    );
  }

  override _flush(done: TransformCallback): void {
    this.#jobs.push(this.#deflate(this.#block.subarray(0, this.#filled), constants.Z_FINISH));
    this.#drain(0).then(
      () => done(null, this.#trailer()),
      (error: unknown) => done(error as Error),
    );
  }

  async #take(chunk: Buffer): Promise<void> {
    for (let at = 0; at < chunk.length;) {
      const taken = chunk.copy(this.#block, this.#filled, at);
      at += taken;
      this.#filled += taken;
      if (this.#filled < BLOCK_BYTES) continue;
      const block = this.#block;
      this.#jobs.push(this.#deflate(block, constants.Z_SYNC_FLUSH));
      this.#before = block.subarray(BLOCK_BYTES - WINDOW_BYTES);
      this.#block = Buffer.allocUnsafeSlow(BLOCK_BYTES);
      this.#filled = 0;
      await this.#drain(JOBS);
    }
  }

  #deflate(block: Buffer, finishFlush: number): Promise<Buffer> {
    const options: ZlibOptions = { level: this.#level, finishFlush, chunkSize: OUTPUT_BYTES };
    if (this.#before) options.dictionary = this.#before;
    const job = deflateInPool(block, options);
    // Awaited in its turn; until then a failure is not unhandled.
    job.catch(() => undefined);
    return job;
  }

  /** Passes on what is done, in order, until at most `left` blocks are under way. */
  async #drain(left: number): Promise<void> {
    while (this.#jobs.length > left) {
      const deflated = await this.#jobs.shift();
      if (deflated) this.push(deflated);
    }
  }

  #trailer(): Buffer {
    const trailer = Buffer.alloc(8);
    trailer.writeUInt32LE(this.#crc, 0);
    trailer.writeUInt32LE(this.#size % 2 ** 32, 4);
    return trailer;
  }
}

const deflateInPool = promisify<InputType, ZlibOptions, Buffer>(deflateRaw);

// Magic, deflate, no flags, no time, fastest algorithm, unknown system: the same on every machine.
const HEADER = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 0xff]);
const WINDOW_BYTES = 32 * 1024;
const BLOCK_BYTES = 512 * 1024;
/** One piece of output for most blocks. */
const OUTPUT_BYTES = 256 * 1024;
/** Node's thread pool has four threads unless it is told otherwise; one block more is being filled. */
const JOBS = Math.min(4, availableParallelism());
