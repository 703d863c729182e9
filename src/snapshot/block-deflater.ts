import { availableParallelism } from 'node:os';
import { promisify } from 'node:util';
import { constants, deflateRaw, type InputType, type ZlibOptions } from 'node:zlib';

/**
 * Deflates bytes (RFC 1951) in blocks on zlib's threads as pigz does it: each block starts from the 32 KiB before it, and ends on a
 * byte. The blocks in their order are one deflate stream, and the same however many threads there are.
 */
export class BlockDeflater {
  readonly #level: number;
  readonly #take: (deflated: Buffer) => void;
  readonly #jobs: { readonly block: Buffer; readonly deflated: Promise<Buffer> }[] = [];
  /** Blocks to fill again: a new one each time would make the collector look at all memory again and again. */
  readonly #spare: Buffer[] = [];
  /** The block passed last, which the one behind it may still start from. */
  #passed: Buffer | undefined;
  #passing: Promise<void> = Promise.resolve();
  #block: Buffer = Buffer.allocUnsafeSlow(BLOCK_BYTES);
  #filled = 0;
  #before: Buffer | undefined;

  /** @param take is given each deflated block, in order; only while one of the promises below is waited for */
  constructor(level: number, take: (deflated: Buffer) => void) {
    this.#level = level;
    this.#take = take;
  }

  /** Adds a copy of the bytes. */
  add(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length;) {
      const taken = Math.min(BLOCK_BYTES - this.#filled, bytes.length - at);
      this.#block.set(taken === bytes.length ? bytes : bytes.subarray(at, at + taken), this.#filled);
      at += taken;
      this.#filled += taken;
      if (this.#filled < BLOCK_BYTES) continue;
      const block = this.#block;
      this.#deflate(block, constants.Z_SYNC_FLUSH);
      this.#before = block.subarray(BLOCK_BYTES - WINDOW_BYTES);
      this.#block = this.#spare.pop() ?? Buffer.allocUnsafeSlow(BLOCK_BYTES);
      this.#filled = 0;
    }
  }

  /** What to wait for before more is added; undefined where few blocks are under way. */
  keptUp(): Promise<void> | undefined {
    return this.#jobs.length > JOBS ? this.#pass(JOBS) : undefined;
  }

  /** Passes on all that was added. What is added then can stand behind other blocks too. */
  async flush(): Promise<void> {
    await this.#last(constants.Z_SYNC_FLUSH);
    this.#before = undefined;
  }

  /** Passes on all that was added, and ends the stream. */
  async finish(): Promise<void> {
    await this.#last(constants.Z_FINISH);
  }

  async #last(finishFlush: number): Promise<void> {
    if (this.#filled > 0 || finishFlush === constants.Z_FINISH) {
      this.#deflate(Buffer.from(this.#block.subarray(0, this.#filled)), finishFlush);
    }
    this.#filled = 0;
    await this.#pass(0);
  }

  #deflate(block: Buffer, finishFlush: number): void {
    const options: ZlibOptions = { level: this.#level, memLevel: MEM_LEVEL, finishFlush, chunkSize: OUTPUT_BYTES };
    if (this.#before) options.dictionary = this.#before;
    const deflated = deflateInPool(block, options);
    // Awaited in its turn; until then a failure is not unhandled.
    deflated.catch(() => undefined);
    this.#jobs.push({ block, deflated });
  }

  /** Passes on what is done, in order, until at most `left` blocks are under way. */
  #pass(left: number): Promise<void> {
    // One at a time, or a block could overtake another.
    this.#passing = this.#passing.then(async () => {
      for (let job = this.#jobs[0]; job && this.#jobs.length > left; job = this.#jobs[0]) {
        this.#take(await job.deflated);
        this.#jobs.shift();
        if (this.#passed) this.#spare.push(this.#passed);
        this.#passed = job.block.length === BLOCK_BYTES ? job.block : undefined;
      }
    });
    this.#passing.catch(() => undefined);
    return this.#passing;
  }
}

const deflateInPool = promisify<InputType, ZlibOptions, Buffer>(deflateRaw);

const WINDOW_BYTES = 32 * 1024;
const BLOCK_BYTES = 512 * 1024;
/** One piece of output for most blocks. */
const OUTPUT_BYTES = 128 * 1024;
/** Node's thread pool has four threads unless it is told otherwise; one block more is being filled. */
const JOBS = Math.min(4, availableParallelism());
/** The most: half as many trees to build and to write take a tenth of the time, at the same size. */
const MEM_LEVEL = 9;

// Measured on a timeline of 100,000 hellos, each with its own random bytes: level 1 packs 485 MB/s at 14.1 to 1,
// level 4 179 MB/s at 14.4 to 1, level 9 155 MB/s at 14.7 to 1.
export const GZIP_LEVEL = 1;
