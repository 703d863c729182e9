import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { Transform, type TransformCallback, type Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { TarArchive } from 'archiver';
import { MEMBER_MODE } from './members.js';
import { ParallelGzip } from './parallel-gzip.js';
import { encryption, type Recipients } from './encryption.js';
import { seal } from './seal.js';

/** A member to pack: bytes at hand, or a staged file. */
export interface PackEntry {
  readonly path: string;
  readonly content: Buffer | { readonly file: string };
}

/**
 * Packs `entries` in their order under `folder` into `output`, as gzip'd tar and the seal, and ends it. The same entries
 * and `time` give the same bytes with the same zlib, unless they are encrypted. Returns the number of bytes written.
 */
export async function pack(
  folder: string,
  entries: readonly PackEntry[],
  time: Date,
  output: Writable,
  recipients: Recipients = [],
): Promise<number> {
  const archive = new TarArchive({ highWaterMark: 4 * 1024 * 1024 });
  const counting = new Counting();
  const gzip = new ParallelGzip(GZIP_LEVEL);
  const packed =
    recipients.length === 0
      ? pipeline(archive, gzip, new Sealing(), counting, output)
      : pipeline(archive, gzip, new Sealing(), await encryption(recipients), counting, output);
  const fed = feed(archive, folder, entries, time);
  // Either side may fail first (a member that cannot be read, a full disk): it must end the other.
  fed.catch((error: unknown) => archive.destroy(error as Error));
  await Promise.race([packed, fed.then(() => packed)]);
  return counting.bytes;
}

async function feed(archive: TarArchive, folder: string, entries: readonly PackEntry[], date: Date): Promise<void> {
  for (const { path, content } of entries) {
    const data = { name: `${folder}/${path}`, date, mode: MEMBER_MODE };
    // One at a time: archiver opens and reads ahead whatever is queued.
    const taken = new Promise<void>((resolve) => archive.once('entry', () => resolve()));
    if (Buffer.isBuffer(content)) {
      archive.append(content, data);
      await taken;
      continue;
    }
    const stats = await stat(content.file);
    const source = createReadStream(content.file, { highWaterMark: 1024 * 1024 });
    const failed = new Promise<never>((_, reject) => source.once('error', reject));
    if (stats.size === 0) archive.append(Buffer.alloc(0), data);
    else archive.append(source, { ...data, stats });
    await Promise.race([taken, failed]);
    source.destroy();
  }
  await archive.finalize();
}

/** Passes bytes on, and ends with the seal over them. */
class Sealing extends Transform {
  readonly #hash = createHash('sha256');

  override _transform(chunk: Buffer, _: BufferEncoding, done: TransformCallback): void {
    this.#hash.update(chunk);
    done(null, chunk);
  }

  override _flush(done: TransformCallback): void {
    done(null, seal(this.#hash.digest('hex')));
  }
}

/** Passes bytes on and counts them. */
class Counting extends Transform {
  bytes = 0;

  override _transform(chunk: Buffer, _: BufferEncoding, done: TransformCallback): void {
    this.bytes += chunk.length;
    done(null, chunk);
  }
}

// Measured on a timeline of 100,000 hellos, each with its own random bytes: level 1 packs 485 MB/s at 14.1 to 1,
// level 4 179 MB/s at 14.4 to 1, level 9 155 MB/s at 14.7 to 1.
const GZIP_LEVEL = 1;
