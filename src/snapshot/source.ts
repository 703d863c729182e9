import { createReadStream, statSync } from 'node:fs';
import type { Readable, TransformOptions } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import { crc32, createInflateRaw, type ZlibOptions } from 'node:zlib';
import { ioError, TlsnapError } from '../errors.js';
import { INFLATION_BOUNDS, type InflationBounds } from './bounds.js';
import { BehindHeader, GZIP_HEADER, type GzipMember } from './gzip-member.js';

/** Bytes of a snapshot that can be read more than once. */
export interface SnapshotSource {
  /** What messages call it. */
  readonly name: string;
  /** Opens it at its start. Its errors are Node's. */
  open(): Readable;
}

/** A snapshot in a file. Nothing is opened yet. */
export function fileSource(path: string): SnapshotSource {
  return {
    name: path,
    open: () => {
      // zlib gives nothing of a piece in which it finds an error. Small pieces of a small file lose little.
      const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
      return createReadStream(path, { highWaterMark: Math.min(Math.max(size >> 8, 64), 64 * 1024) });
    },
  };
}

/** Fails with `input` where the source does not start as gzip does, and with `io` where it cannot be read. */
export async function requireGzip(source: SnapshotSource): Promise<void> {
  const { name: path } = source;
  const file = source.open();
  let start = Buffer.alloc(0);
  try {
    for await (const chunk of file as AsyncIterable<Buffer>) {
      start = Buffer.concat([start, chunk]);
      if (start.length >= 2) break;
    }
  } catch (error) {
    throw ioError(path, error);
  } finally {
    file.destroy();
  }
  if (start.length < 2 || start.readUInt16BE(0) !== 0x1f8b) {
    throw new TlsnapError('input', path, 'not a snapshot: it is not gzip', ['Name a .tlsnap.tar.gz file.']);
  }
}

export interface InflateOptions {
  readonly bounds?: InflationBounds;
  /** Given what the member was once all of it is inflated, for a caller that looks at more than the content. */
  readonly onMember?: (member: GzipMember) => void;
}

/**
 * The inflated bytes of the first gzip member of a source, in chunks, within `bounds`; what follows the member is not looked at.
 * Throws a TlsnapError of kind `input` that says after how many inflated bytes it broke, or `io`.
 */
export async function* inflate(
  source: SnapshotSource,
  { bounds = INFLATION_BOUNDS, onMember }: InflateOptions = {},
): AsyncGenerator<Buffer, void> {
  const file = source.open();
  let header: Buffer = GZIP_HEADER;
  const behindHeader = new BehindHeader((bytes) => (header = requirePlainHeader(source.name, bytes)));
  const options: ZlibOptions & TransformOptions = { chunkSize: CHUNK_BYTES, highWaterMark: 4 * CHUNK_BYTES };
  // Node's gunzip goes on with a second member, or stops at a zero behind the first, and says nothing of either.
  const inflater = createInflateRaw(options);
  let compressed = 0;
  let crc = 0;
  let inflated = 0;
  file.on('data', (chunk: Buffer) => (compressed += chunk.length));
  file.on('error', (error) => inflater.destroy(ioError(source.name, error) as Error));
  behindHeader.on('error', (error) => inflater.destroy(error));
  file.pipe(behindHeader).pipe(inflater);
  try {
    for await (const chunk of untilError(inflater)) {
      inflated += chunk.length;
      if (inflated > bounds.bytes) throw bomb(source.name, `more than ${bounds.bytes} bytes of content`);
      if (inflated > bounds.freeBytes && inflated > compressed * bounds.ratio) {
        throw bomb(source.name, `inflates more than ${bounds.ratio} times`);
      }
      if (onMember) crc = crc32(chunk, crc);
      yield chunk;
      // Lets zlib's thread start on the next chunk while this one's rows are parsed.
      await setImmediate();
    }
    onMember?.({ header, deflatedBytes: inflater.bytesWritten, crc32: crc, size: inflated });
  } catch (error) {
    throw isZlibError(error)
      ? new TlsnapError(
          'input',
          `${source.name}, byte ${inflated} of the tar`,
          `from here on it cannot be unpacked: ${error.message}`,
        )
      : error;
  } finally {
    file.destroy();
    behindHeader.destroy();
    inflater.destroy();
  }
}

/** What the stream gives before its error, which the iterator of Node's streams throws away. */
async function* untilError(stream: Readable): AsyncGenerator<Buffer, void> {
  const chunks: Buffer[] = [];
  let end: { error: Error | undefined } | undefined;
  let wake = (): void => undefined;
  stream.on('data', (chunk: Buffer) => {
    chunks.push(chunk);
    if (chunks.length >= AHEAD) stream.pause();
    wake();
  });
  const finish = (error?: Error): void => {
    end = { error };
    wake();
  };
  stream.on('end', () => finish());
  stream.on('error', finish);
  for (;;) {
    const chunk = chunks.shift();
    if (chunk) {
      yield chunk;
      if (chunks.length < AHEAD) stream.resume();
    } else if (end) {
      if (end.error) throw end.error;
      return;
    } else await new Promise<void>((resolve) => (wake = resolve));
  }
}

/** Deflate and no optional fields, which would stand between the header and the stream; the rest keeps nothing from being read. */
function requirePlainHeader(name: string, header: Buffer): Buffer {
  if (header.subarray(0, FLAGS_END).equals(GZIP_HEADER.subarray(0, FLAGS_END))) return header;
  throw new TlsnapError('input', `${name}, the gzip header`, `is ${header.toString('hex')}, which no snapshot's is`);
}

function bomb(name: string, detail: string): TlsnapError {
  return new TlsnapError('input', name, `${detail}, which no snapshot does`);
}

function isZlibError(error: unknown): error is Error {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' && error.code.startsWith('Z_');
}

const CHUNK_BYTES = 256 * 1024;
const AHEAD = 4;
/** Magic, method and flags. */
const FLAGS_END = 4;
