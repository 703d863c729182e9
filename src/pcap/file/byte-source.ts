import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { ioError, TlsnapError } from '../../errors.js';
import { type GzipFault, GzipMembers, isGzip } from './gzip-members.js';

/** The bytes of a capture, in order. */
export interface ByteSource {
  /** What messages call it. */
  readonly name: string;
  /** Size in bytes where known beforehand (a plain file), else null. */
  readonly size: number | null;
  /** Why the bytes ended before their time, once they did. */
  readonly fault: GzipFault | null;
  /** True once they ended because they were asked to. */
  readonly stopped: boolean;
  /** Fills `target` from its start; returns how many bytes, 0 only at the end. */
  read(target: Buffer): Promise<number>;
  /** Reads what is left, and tells what the file as it is (a packed one packed) amounts to. */
  digest(): Promise<InputDigest>;
  close(): Promise<void>;
}

/** What identifies an input: `sha256sum` of the file gives the same. */
export interface InputDigest {
  readonly size: number;
  readonly sha256: string;
}

/**
 * Opens `path`, or standard input for `-`. A gzip'd file is unpacked on the way. Throws TlsnapError.
 * @param signal ends the bytes early; also those of a standard input that is waited for
 */
export async function openByteSource(path: string, stdin: Readable, signal?: AbortSignal): Promise<ByteSource> {
  if (path === '-') {
    signal?.addEventListener('abort', () => stdin.destroy(), { once: true });
    return gunzipped(digested(stoppable(streamSource('standard input', stdin), signal)));
  }
  try {
    const handle = await open(path, 'r');
    const stat = await handle.stat();
    if (stat.isDirectory()) {
      await handle.close();
      throw new TlsnapError('input', path, 'is a directory, not a capture file', ['Name a pcap or pcapng file.']);
    }
    const source: RawSource = {
      name: path,
      size: stat.isFile() ? stat.size : null,
      fault: null,
      stopped: false,
      read: async (target) => (await handle.read(target, 0, target.length, null)).bytesRead,
      close: () => handle.close(),
    };
    return await gunzipped(digested(stoppable(source, signal)));
  } catch (error) {
    throw ioError(path, error);
  }
}

type RawSource = Omit<ByteSource, 'digest'>;

/** Ends when the signal comes. */
function stoppable(source: RawSource, signal: AbortSignal | undefined): RawSource {
  let stopped = false;
  return {
    ...source,
    get stopped() {
      return stopped;
    },
    read: async (target) => {
      try {
        const length = signal?.aborted ? 0 : await source.read(target);
        stopped ||= signal?.aborted === true && length === 0;
        return length;
      } catch (error) {
        // A stream that was waited for is torn down.
        if (!signal?.aborted) throw error;
        stopped = true;
        return 0;
      }
    },
  };
}

/** Hashes what is read. */
function digested(source: RawSource): ByteSource {
  const hash = createHash('sha256');
  let size = 0;
  let last: Promise<unknown> = Promise.resolve();
  const readNext = async (target: Buffer): Promise<number> => {
    const length = await source.read(target);
    hash.update(target.subarray(0, length));
    size += length;
    return length;
  };
  // One at a time: an unpacker that was given up may still be reading when the rest is asked for.
  const read = (target: Buffer): Promise<number> => {
    const next = last.then(() => readNext(target));
    last = next.catch(() => undefined);
    return next;
  };
  const digest = async (): Promise<InputDigest> => {
    const rest = Buffer.allocUnsafe(PIECE);
    while ((await read(rest)) > 0);
    return { size, sha256: hash.digest('hex') };
  };
  return {
    ...source,
    get stopped() {
      return source.stopped;
    },
    read,
    digest,
  };
}

/** Reads a stream in the pieces it comes in; never asks for more than is being taken. */
function streamSource(name: string, stream: AsyncIterable<Buffer | string>): RawSource {
  const iterator = stream[Symbol.asyncIterator]();
  let piece: Buffer = Buffer.alloc(0);
  return {
    name,
    size: null,
    fault: null,
    stopped: false,
    read: async (target) => {
      if (piece.length === 0) {
        const next = await iterator.next();
        if (next.done) return 0;
        piece = Buffer.from(next.value as Buffer);
      }
      const taken = piece.copy(target);
      piece = piece.subarray(taken);
      return taken;
    },
    close: async () => {
      await iterator.return?.();
    },
  };
}

/** Looks at the first bytes, and unpacks what follows where they are gzip's (RFC 1952). */
async function gunzipped(source: ByteSource): Promise<ByteSource> {
  const first = Buffer.alloc(FIRST_READ);
  const head = first.subarray(0, await fill(source, first));
  const whole = prepended(head, source);
  if (!isGzip(head)) return whole;
  const members = new GzipMembers((target) => whole.read(target));
  return {
    ...streamSource(source.name, members.unpacked()),
    get fault() {
      // Where the reading was ended early, that is why a member is not whole.
      return source.stopped ? null : members.fault;
    },
    get stopped() {
      return source.stopped;
    },
    digest: () => source.digest(),
    close: async () => {
      members.close();
      await source.close();
    },
  };
}

/** `head`, then what `source` still has. */
function prepended(head: Buffer, source: ByteSource): ByteSource {
  let rest = head;
  return {
    name: source.name,
    size: source.size,
    fault: null,
    get stopped() {
      return source.stopped;
    },
    read: async (target) => {
      if (rest.length === 0) return source.read(target);
      const taken = rest.copy(target);
      rest = rest.subarray(taken);
      return taken;
    },
    digest: () => source.digest(),
    close: () => source.close(),
  };
}

async function fill(source: ByteSource, target: Buffer): Promise<number> {
  let length = 0;
  while (length < target.length) {
    const read = await source.read(target.subarray(length));
    if (read === 0) break;
    length += read;
  }
  return length;
}

const FIRST_READ = 32;
const PIECE = 256 << 10;
