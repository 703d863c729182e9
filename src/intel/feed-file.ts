import { createHash } from 'node:crypto';
import { open, type FileHandle } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { ioError, TlsnapError } from '../errors.js';

/** A feed's content: unpacked, in UTF-8 without a byte order mark. */
export interface FeedBytes {
  readonly text: Buffer;
  /** Of the file as it lies on disk, so that a report can name the very edition that was used. */
  readonly sha256: string;
  /** Size on disk, in bytes. */
  readonly size: number;
  readonly packed: boolean;
  readonly encoding: 'utf-8' | 'utf-16le' | 'utf-16be';
}

/**
 * Reads a feed file, gzip'd or not, into memory, whatever it claims to be.
 * @param limit the most bytes that are kept, packed or unpacked; a larger feed is refused (kind `input`)
 */
export async function readFeedFile(path: string, limit = MAX_FEED_BYTES): Promise<FeedBytes> {
  const { raw, sha256 } = await readWhole(path, limit);
  const packed = raw.length >= 2 && raw[0] === 0x1f && raw[1] === 0x8b;
  refuseOtherContainers(path, raw);
  const unpacked = packed ? await gunzip(path, raw, limit) : raw;
  const { text, encoding } = toUtf8(unpacked);
  return { text, encoding, packed, size: raw.length, sha256 };
}

/** 256 MiB: some ten times the largest public feed that we know of, and below our memory bound. */
export const MAX_FEED_BYTES = 256 * 1024 * 1024;

/** Reads into the place where the bytes stay; each piece is hashed while the next one is read. */
async function readWhole(path: string, limit: number): Promise<{ raw: Buffer; sha256: string }> {
  const digest = createHash('sha256');
  let file: FileHandle | undefined;
  try {
    file = await open(path);
    const { size } = await file.stat();
    // With one byte more than the file has, its end shows without another buffer.
    let raw = Buffer.allocUnsafe(Math.min(size, limit) + 1);
    let length = 0;
    let hashed = 0;
    for (;;) {
      const reading = file.read(raw, length, Math.min(raw.length - length, PIECE_BYTES));
      digest.update(raw.subarray(hashed, length));
      hashed = length;
      const { bytesRead } = await reading;
      if (bytesRead === 0) return { raw: raw.subarray(0, length), sha256: digest.digest('hex') };
      length += bytesRead;
      if (length > limit) throw tooLarge(path, limit);
      if (length === raw.length) {
        const larger = Buffer.allocUnsafe(Math.min(2 * raw.length + PIECE_BYTES, limit + 1));
        raw.copy(larger, 0, 0, length);
        raw = larger;
      }
    }
  } catch (error) {
    throw ioError(path, error);
  } finally {
    await file?.close();
  }
}

/** Chunks, until there are too many of them. */
class Parts {
  readonly #path: string;
  readonly #limit: number;
  readonly #chunks: Buffer[] = [];
  #size = 0;

  constructor(path: string, limit: number) {
    this.#path = path;
    this.#limit = limit;
  }

  push(chunk: Buffer): void {
    this.#size += chunk.length;
    if (this.#size > this.#limit) throw tooLarge(this.#path, this.#limit);
    this.#chunks.push(chunk);
  }

  join(): Buffer {
    return this.#chunks.length === 1 && this.#chunks[0] ? this.#chunks[0] : Buffer.concat(this.#chunks, this.#size);
  }
}

function tooLarge(path: string, limit: number): TlsnapError {
  const detail = `holds more than ${Math.floor(limit / 1024 / 1024)} MiB`;
  return new TlsnapError('input', path, detail, ['Split the feed, or keep only the indicators you need.']);
}

/** The limit applies to what comes out, while it comes out: a bomb costs no more than a large feed. */
async function gunzip(path: string, raw: Buffer, limit: number): Promise<Buffer> {
  const parts = new Parts(path, limit);
  try {
    await pipeline([raw], createGunzip(), async (source: AsyncIterable<Buffer>) => {
      for await (const chunk of source) parts.push(chunk);
    });
  } catch (error) {
    if (error instanceof TlsnapError) throw error;
    const detail = error instanceof Error ? error.message : String(error);
    throw new TlsnapError('input', path, `is gzip'd, but broken: ${detail}`, ['Download the feed again.'], error);
  }
  return parts.join();
}

function refuseOtherContainers(path: string, raw: Buffer): void {
  for (const [name, magic] of CONTAINERS) {
    if (raw.subarray(0, magic.length).equals(magic)) {
      throw new TlsnapError('input', path, `is ${name}, not a feed`, ['Unpack it first; only gzip is read directly.']);
    }
  }
}

const CONTAINERS: readonly (readonly [string, Buffer])[] = [
  ['a zip archive', Buffer.from('PK\x03\x04', 'latin1')],
  ['zstd-compressed', Buffer.from('28b52ffd', 'hex')],
  ['xz-compressed', Buffer.from('fd377a585a00', 'hex')],
  ['bzip2-compressed', Buffer.from('BZh', 'latin1')],
  ['an executable', Buffer.from('\x7fELF', 'latin1')],
];

/** What PowerShell's `>` writes is UTF-16; so is a text in which every second of the first bytes is NUL. */
function toUtf8(bytes: Buffer): { text: Buffer; encoding: FeedBytes['encoding'] } {
  if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf)
    return { text: bytes.subarray(3), encoding: 'utf-8' };
  const encoding = utf16Order(bytes);
  if (encoding === null) return { text: bytes, encoding: 'utf-8' };
  // TextDecoder drops the mark itself.
  return { text: Buffer.from(new TextDecoder(encoding).decode(bytes), 'utf8'), encoding };
}

function utf16Order(bytes: Buffer): 'utf-16le' | 'utf-16be' | null {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return 'utf-16le';
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return 'utf-16be';
  const head = bytes.subarray(0, 64);
  if (head.length < 8) return null;
  const odd = head.filter((byte, at) => at % 2 === 1 && byte === 0).length;
  const even = head.filter((byte, at) => at % 2 === 0 && byte === 0).length;
  const half = Math.floor(head.length / 2);
  if (odd === half && even === 0) return 'utf-16le';
  return even === half && odd === 0 ? 'utf-16be' : null;
}

const PIECE_BYTES = 1024 * 1024;
