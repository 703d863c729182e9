import { Transform, type TransformCallback } from 'node:stream';

/** What a gzip member (RFC 1952) without optional fields is, but for its deflate stream. */
export interface GzipMember {
  readonly header: Buffer;
  /** Bytes of the deflate stream. */
  readonly deflatedBytes: number;
  /** Of what it inflates to. */
  readonly crc32: number;
  readonly size: number;
}

/** Magic, deflate, no flags, no time, fastest algorithm, unknown system: the same on every machine. */
export const GZIP_HEADER = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 0xff]);

/** What ends a member: CRC-32 and size. */
export function gzipTrailer({ crc32, size }: Pick<GzipMember, 'crc32' | 'size'>): Buffer {
  const trailer = Buffer.alloc(GZIP_TRAILER_BYTES);
  trailer.writeUInt32LE(crc32, 0);
  trailer.writeUInt32LE(size % 2 ** 32, 4);
  return trailer;
}

/** Passes on what follows the header of a gzip member. */
export class BehindHeader extends Transform {
  readonly #onHeader: (header: Buffer) => void;
  #header = Buffer.alloc(0);

  /** @param onHeader given the ten bytes; what it throws ends the stream */
  constructor(onHeader: (header: Buffer) => void) {
    super();
    this.#onHeader = onHeader;
  }

  override _transform(chunk: Buffer, _: BufferEncoding, done: TransformCallback): void {
    const missing = GZIP_HEADER.length - this.#header.length;
    if (missing === 0) return done(null, chunk);
    this.#header = Buffer.concat([this.#header, chunk.subarray(0, missing)]);
    if (chunk.length < missing) return done();
    try {
      this.#onHeader(this.#header);
    } catch (error) {
      return done(error as Error);
    }
    done(null, chunk.subarray(missing));
  }
}

export const GZIP_TRAILER_BYTES = 8;
