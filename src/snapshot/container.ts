import { TlsnapError } from '../errors.js';
import { MAX_DOCUMENT_BYTES, MAX_EXECUTABLES, MAX_KEY_BYTES } from './bounds.js';
import { isFolderName } from './file-name.js';
import { HOST, isKnownMember, MANIFEST, SIGNATURE, SIGNER } from './members.js';
import { BLOCK, canonicalHeader, readHeader, type TarHeader } from './tar-header.js';

/** What `readContainer` yields: a member's start, pieces of its content, its end; in the order of the file. */
export type ContainerEvent =
  | { readonly kind: 'start'; readonly member: Member }
  | { readonly kind: 'data'; readonly member: Member; readonly bytes: Buffer }
  | { readonly kind: 'end'; readonly member: Member };

export interface Member {
  /** Without the top folder. */
  readonly path: string;
  readonly folder: string;
  readonly size: number;
  /** Seconds since the epoch; the same for all members. */
  readonly mtime: number;
}

/** A deviation that does not keep the content from being read. */
export type OnDeviation = (place: string, problem: string) => void;

/**
 * Reads the tar of a snapshot from inflated chunks. It is strict: the members that the format knows, once each, as
 * regular files of one folder; PAX, GNU names, links, devices and folders do not exist for it, so that there is nothing
 * to be interpreted in two ways. Throws a TlsnapError of kind `input` that names the place; a mere deviation from the
 * bytes that tlsnap writes (an owner, padding, bytes after the end) is one too, unless `onDeviation` takes it.
 */
export async function* readContainer(
  name: string,
  chunks: AsyncIterable<Buffer>,
  onDeviation?: OnDeviation,
): AsyncGenerator<ContainerEvent[], void> {
  const parser = new ContainerParser(name, onDeviation ?? ((place, problem) => fail(name, place, problem)));
  for await (const chunk of chunks) {
    const events: ContainerEvent[] = [];
    const failure = parser.push(chunk, events);
    // What came before it in the same chunk is told first, so that the chunks make no difference.
    if (events.length > 0) yield events;
    if (failure) throw failure;
  }
  parser.finish();
}

class ContainerParser {
  readonly #name: string;
  readonly #onDeviation: OnDeviation;
  readonly #seen = new Set<string>();
  #folder: string | undefined;
  #mtime: number | undefined;
  /** The end of a chunk that is no whole block; empty while content is read. */
  #rest: Buffer = Buffer.alloc(0);
  #member: Member | undefined;
  #missing = 0;
  #padding = 0;
  #zeroBlocks = 0;
  #position = 0;
  #trailing = false;

  constructor(name: string, onDeviation: OnDeviation) {
    this.#name = name;
    this.#onDeviation = onDeviation;
  }

  /** Appends what the chunk brings to `events`; returns what ends the reading. */
  push(chunk: Buffer, events: ContainerEvent[]): TlsnapError | undefined {
    const bytes = this.#rest.length > 0 ? Buffer.concat([this.#rest, chunk]) : chunk;
    let at = 0;
    try {
      for (;;) {
        const taken = this.#take(bytes, at, events);
        if (taken === 0) break;
        at += taken;
        this.#position += taken;
      }
    } catch (error) {
      if (error instanceof TlsnapError) return error;
      throw error;
    }
    this.#rest = Buffer.from(bytes.subarray(at));
    return undefined;
  }

  finish(): void {
    if (this.#seen.size === 0) fail(this.#name, this.#place(), 'not a snapshot: no member in it');
    if (this.#member) fail(this.#name, this.#member.path, `ends ${this.#missing} bytes early`);
    if (this.#padding > 0 || this.#rest.length > 0) this.#onDeviation(this.#place(), 'the tar ends within a block');
    else if (this.#zeroBlocks < 2) this.#onDeviation(this.#place(), 'the tar has no end');
  }

  /** Takes what it can at `at`; returns how many bytes, 0 where more are needed. */
  #take(bytes: Buffer, at: number, events: ContainerEvent[]): number {
    const available = bytes.length - at;
    if (available === 0) return 0;
    if (this.#member) return this.#takeContent(this.#member, bytes.subarray(at, at + this.#missing), events);
    if (this.#padding > 0) return this.#takePadding(bytes.subarray(at, at + this.#padding));
    if (this.#zeroBlocks === 2) return this.#takeTrailing(available);
    if (available < BLOCK) return 0;
    const block = bytes.subarray(at, at + BLOCK);
    if (isZero(block)) this.#zeroBlocks += 1;
    else if (this.#zeroBlocks > 0) fail(this.#name, this.#place(), 'a header after an empty block');
    else this.#takeHeader(block, events);
    return BLOCK;
  }

  #takeHeader(block: Buffer, events: ContainerEvent[]): void {
    const header = readHeader(block);
    if ('fault' in header) return fail(this.#name, this.#place(), header.fault);
    const member = this.#accepted(header);
    if (!block.equals(canonicalHeader(header.path, header.size, header.mtime))) {
      this.#onDeviation(member.path, 'its tar header is not as tlsnap writes it');
    }
    this.#mtime ??= member.mtime;
    if (member.mtime !== this.#mtime) this.#onDeviation(member.path, 'has another time than the members before it');
    this.#seen.add(member.path);
    events.push({ kind: 'start', member });
    this.#padding = (BLOCK - (member.size % BLOCK)) % BLOCK;
    if (member.size === 0) events.push({ kind: 'end', member });
    else [this.#member, this.#missing] = [member, member.size];
  }

  #accepted({ path: full, size, mtime }: TarHeader): Member {
    const slash = full.indexOf('/');
    const folder = full.slice(0, Math.max(slash, 0));
    const path = full.slice(slash + 1);
    const place = JSON.stringify(full);
    if (!isFolderName(folder)) fail(this.#name, place, 'does not lie in a folder NAME.tlsnap');
    this.#folder ??= folder;
    if (folder !== this.#folder) fail(this.#name, place, `does not lie in the folder ${this.#folder} as the others do`);
    if (!isKnownMember(path)) fail(this.#name, place, 'not a member that the format knows');
    if (this.#seen.has(path)) fail(this.#name, path, 'is there twice');
    if (this.#seen.size > MAX_EXECUTABLES) fail(this.#name, path, `more than ${MAX_EXECUTABLES} members`);
    const bound = DOCUMENT_BOUNDS[path];
    if (bound !== undefined && size > bound)
      fail(this.#name, path, `${size} bytes are more than it may have (${bound})`);
    return { path, folder, size, mtime };
  }

  #takeContent(member: Member, bytes: Buffer, events: ContainerEvent[]): number {
    events.push({ kind: 'data', member, bytes });
    this.#missing -= bytes.length;
    if (this.#missing === 0) {
      events.push({ kind: 'end', member });
      this.#member = undefined;
    }
    return bytes.length;
  }

  #takePadding(bytes: Buffer): number {
    if (!isZero(bytes)) this.#onDeviation(this.#place(), 'the padding after a member is not zero');
    this.#padding -= bytes.length;
    return bytes.length;
  }

  #takeTrailing(available: number): number {
    if (!this.#trailing) this.#onDeviation(this.#place(), 'there are bytes after the end of the tar');
    this.#trailing = true;
    return available;
  }

  #place(): string {
    return `byte ${this.#position} of the tar`;
  }
}

function fail(name: string, place: string, problem: string): never {
  throw new TlsnapError('input', `${name}, ${place}`, problem);
}

function isZero(bytes: Buffer): boolean {
  return bytes.equals(ZEROS.subarray(0, bytes.length));
}

const ZEROS = Buffer.alloc(BLOCK);
const DOCUMENT_BOUNDS: Record<string, number | undefined> = {
  [MANIFEST]: MAX_DOCUMENT_BYTES,
  [HOST]: MAX_DOCUMENT_BYTES,
  [SIGNATURE]: MAX_KEY_BYTES,
  [SIGNER]: MAX_KEY_BYTES,
};
