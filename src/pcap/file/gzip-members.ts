/**
 * gzip (RFC 1952): any number of members one after another, then zeros at most. Checked are the checksum and the length of
 * what a member holds; a header's own checksum is not, because nothing of the header is used.
 */
import { crc32, createInflateRaw, type InflateRaw } from 'node:zlib';
import type { CaptureFault } from './capture-format.js';

/** What is wrong with gzip'd bytes; where is a matter of what was unpacked before. */
export type GzipFault = Pick<CaptureFault, 'kind' | 'detail'>;

/** True where these bytes begin a member. */
export function isGzip(bytes: Buffer): boolean {
  return bytes[0] === 0x1f && bytes[1] === 0x8b;
}

/**
 * Unpacks gzip'd bytes. node:zlib does too, but throws away what it unpacked last where a checksum is wrong or where
 * something else follows; here the deflate data alone is zlib's, and all that came out of it is kept.
 */
export class GzipMembers {
  /** Why the bytes ended before their time, once they did. */
  fault: GzipFault | null = null;
  readonly #read: (target: Buffer) => Promise<number>;
  readonly #buffer = Buffer.allocUnsafe(READ);
  /** What is read and not yet taken. */
  #rest = Buffer.alloc(0);
  #bytesRead = 0;
  #inflater: InflateRaw | null = null;

  /** @param read fills a buffer from its start with what comes next; returns how many bytes, 0 only at the end */
  constructor(read: (target: Buffer) => Promise<number>) {
    this.#read = read;
  }

  /** What the members hold, in pieces. */
  async *unpacked(): AsyncGenerator<Buffer, void> {
    do {
      this.fault = (await this.#skipHeader()) ?? (yield* this.#member());
      if (this.fault) return;
    } while (await this.#followedByMember());
    this.fault = await this.#followedByOther();
  }

  close(): void {
    this.#inflater?.destroy();
  }

  async #skipHeader(): Promise<GzipFault | null> {
    const header = await this.#take(10);
    if (!header) return CUT;
    const flags = header.readUInt8(3);
    if (header[2] !== DEFLATE || (flags & RESERVED) !== 0) return damaged('a header that RFC 1952 does not know');
    if (flags & EXTRA) {
      const length = await this.#take(2);
      if (!length || !(await this.#take(length.readUInt16LE(0)))) return CUT;
    }
    if (flags & NAME && !(await this.#skipText())) return CUT;
    if (flags & COMMENT && !(await this.#skipText())) return CUT;
    return flags & HEADER_CRC && !(await this.#take(2)) ? CUT : null;
  }

  /** What follows a member's header. */
  async *#member(): AsyncGenerator<Buffer, GzipFault | null> {
    const inflating = new Inflating();
    this.#inflater = inflating.inflater;
    let checksum = 0;
    let size = 0;
    try {
      for (let ended = false; !ended;) {
        if (!(await this.#more())) return CUT;
        const piece = this.#rest.subarray(0, PIECE);
        const left = await inflating.add(piece);
        for (const output of inflating.takeOutput()) {
          checksum = crc32(output, checksum);
          size += output.length;
          yield output;
        }
        if (inflating.failure) return damaged(inflating.failure.message);
        this.#rest = this.#rest.subarray(piece.length - left);
        ended = left > 0;
      }
    } finally {
      inflating.inflater.destroy();
    }
    const trailer = await this.#take(8);
    if (!trailer) return CUT;
    if (trailer.readUInt32LE(0) !== checksum) return damaged('its checksum is that of other data');
    return trailer.readUInt32LE(4) === size % 2 ** 32 ? null : damaged('its length is that of other data');
  }

  async #followedByMember(): Promise<boolean> {
    return (await this.#more(2)) && isGzip(this.#rest);
  }

  /** Zeros after the last member are padding, as gzip has it; anything else is told. */
  async #followedByOther(): Promise<GzipFault | null> {
    const end = this.#bytesRead - this.#rest.length;
    while (await this.#more()) {
      if (this.#rest.some((byte) => byte !== 0)) return { kind: 'damaged', detail: `${FOLLOWED} ${end} of the file` };
      this.#rest = this.#rest.subarray(this.#rest.length);
    }
    return null;
  }

  /** The next bytes, or null where the file ends before. */
  async #take(length: number): Promise<Buffer | null> {
    if (!(await this.#more(length))) return null;
    const bytes = Buffer.from(this.#rest.subarray(0, length));
    this.#rest = this.#rest.subarray(length);
    return bytes;
  }

  /** Passes over a text that a zero ends; returns false where the file ends before. */
  async #skipText(): Promise<boolean> {
    while (await this.#more()) {
      const end = this.#rest.indexOf(0);
      this.#rest = this.#rest.subarray(end === -1 ? this.#rest.length : end + 1);
      if (end !== -1) return true;
    }
    return false;
  }

  /** True where `#rest` has as many bytes, if need be after reading on. */
  async #more(least = 1): Promise<boolean> {
    while (this.#rest.length < least) {
      const left = this.#rest.copy(this.#buffer);
      const read = await this.#read(this.#buffer.subarray(left));
      this.#bytesRead += read;
      this.#rest = this.#buffer.subarray(0, left + read);
      if (read === 0) return false;
    }
    return true;
  }
}

/** Deflate data (RFC 1951) being inflated, a piece at a time. */
class Inflating {
  readonly inflater = createInflateRaw();
  /** Why it cannot go on. */
  failure: Error | null = null;
  #output: Buffer[] = [];
  #given = 0;
  #added: () => void = () => undefined;

  constructor() {
    // As events, because reading the stream drops what it holds at the moment of an error.
    this.inflater.on('data', (piece: Buffer) => this.#output.push(piece));
    this.inflater.on('error', (error) => {
      this.failure = error;
      this.#added();
    });
  }

  /** Inflates all of `piece`, which must not change meanwhile. Returns how much of it lies beyond the end of the data. */
  async add(piece: Buffer): Promise<number> {
    this.#given += piece.length;
    await new Promise<void>((resolve) => {
      this.#added = resolve;
      this.inflater.write(piece, () => resolve());
    });
    return this.#given - this.inflater.bytesWritten;
  }

  takeOutput(): Buffer[] {
    const output = this.#output;
    this.#output = [];
    return output;
  }
}

function damaged(detail: string): GzipFault {
  return { kind: 'damaged', detail: `the gzip data is damaged: ${detail}` };
}

const CUT: GzipFault = { kind: 'cut', detail: 'the gzip data is cut off' };
const FOLLOWED = 'something other than gzip data follows byte';
const DEFLATE = 8;
const HEADER_CRC = 2;
const EXTRA = 4;
const NAME = 8;
const COMMENT = 16;
const RESERVED = 0xe0;
const READ = 256 << 10;
/** What this unpacks to is held at once: at most a thousand times as much. */
const PIECE = 16 << 10;
