import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { Readable, Transform, type TransformCallback, type Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { TarArchive } from 'archiver';
import { type DeflatedFile, MEMBER_MODE } from './members.js';
import { GZIP_LEVEL } from './block-deflater.js';
import { ParallelGzip, type Prepared } from './parallel-gzip.js';
import { encryption, type Recipients } from './encryption.js';
import { seal } from './seal.js';
import { BLOCK } from './tar-header.js';

/** A member to pack: bytes at hand, a staged file, or one that is deflated already. */
export interface PackEntry {
  readonly path: string;
  readonly content: Buffer | { readonly file: string } | { readonly size: number; readonly deflated: DeflatedFile };
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
  const sized = await Promise.all(entries.map(withSize));
  const gzip = new ParallelGzip(GZIP_LEVEL, preparedOf(sized));
  const packed =
    recipients.length === 0
      ? pipeline(gzip, new Sealing(), counting, output)
      : pipeline(gzip, new Sealing(), await encryption(recipients), counting, output);
  // Not in the pipeline, which would destroy it: archiver goes on with what is queued then, and throws where nobody catches it.
  archive.on('error', (error) => gzip.destroy(error)).pipe(gzip);
  // A member that cannot be read ends the pipeline; an output that fails leaves the rest unread.
  feed(archive, folder, sized, time).catch((error: unknown) => gzip.destroy(error as Error));
  await packed;
  return counting.bytes;
}

interface SizedEntry extends PackEntry {
  /** In bytes. */
  readonly size: number;
}

async function withSize(entry: PackEntry): Promise<SizedEntry> {
  const { content } = entry;
  if (Buffer.isBuffer(content)) return { ...entry, size: content.length };
  return { ...entry, size: 'file' in content ? (await stat(content.file)).size : content.size };
}

/** Where in the tar the prepared members stand: each member is behind a header of one block, and filled up to whole blocks. */
function preparedOf(entries: readonly SizedEntry[]): Prepared[] {
  const prepared: Prepared[] = [];
  let at = 0;
  for (const { content, size } of entries) {
    const start = at + BLOCK;
    if ('deflated' in content && size > 0) prepared.push({ start, size, deflated: content.deflated });
    at = start + Math.ceil(size / BLOCK) * BLOCK;
  }
  return prepared;
}

async function feed(archive: TarArchive, folder: string, entries: readonly SizedEntry[], date: Date): Promise<void> {
  for (const { path, content, size } of entries) {
    const data = { name: `${folder}/${path}`, date, mode: MEMBER_MODE };
    // One at a time: archiver opens and reads ahead whatever is queued.
    const taken = new Promise<void>((resolve) => archive.once('entry', () => resolve()));
    if (Buffer.isBuffer(content)) {
      archive.append(content, data);
      await taken;
      continue;
    }
    // archiver counts the bytes of a prepared member, and ParallelGzip drops them: they may be any.
    const isFile = 'file' in content;
    const source = isFile ? createReadStream(content.file, { highWaterMark: PIECE }) : zeros(size);
    const failed = new Promise<never>((_, reject) => source.once('error', reject));
    const stats = Object.assign(await stat(isFile ? content.file : content.deflated.path), { size });
    if (size === 0) archive.append(Buffer.alloc(0), data);
    else archive.append(source, { ...data, stats });
    await Promise.race([taken, failed]);
    source.destroy();
  }
  await archive.finalize();
}

function zeros(size: number): Readable {
  const piece = Buffer.alloc(PIECE);
  let left = size;
  return new Readable({
    highWaterMark: PIECE,
    read() {
      const length = Math.min(left, PIECE);
      left -= length;
      this.push(length === 0 ? null : piece.subarray(0, length));
    },
  });
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

const PIECE = 1024 * 1024;
