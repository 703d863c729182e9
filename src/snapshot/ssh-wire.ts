/** The `string` of SSH's data types (RFC 4251 section 5): a 32-bit length and that many bytes. */
export function sshString(content: Uint8Array | string): Buffer {
  const bytes = Buffer.from(content);
  const out = Buffer.allocUnsafe(4 + bytes.length);
  out.writeUInt32BE(bytes.length, 0);
  bytes.copy(out, 4);
  return out;
}

/** A non-negative `mpint`: two's complement without needless leading zeros. */
export function sshMpint(bytes: Uint8Array): Buffer {
  let start = 0;
  while (start < bytes.length && bytes[start] === 0) start += 1;
  const rest = bytes.subarray(start);
  return sshString((rest[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.of(0), rest]) : rest);
}

/** A cursor over SSH wire data. Every method throws a RangeError that names the field which did not fit. */
export class SshReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  raw(field: string, length: number): Buffer {
    if (length > this.#bytes.length - this.#at) throw new RangeError(`${field} is cut short`);
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  uint32(field: string): number {
    return this.raw(field, 4).readUInt32BE(0);
  }

  string(field: string): Buffer {
    return this.raw(field, this.uint32(`the length of ${field}`));
  }

  text(field: string): string {
    return this.string(field).toString('latin1');
  }

  /** A non-negative `mpint` in its one shortest form, without the sign byte. */
  mpint(field: string): Buffer {
    const bytes = this.string(field);
    const first = bytes[0] ?? 0;
    if (bytes.length === 0 || first >= 0x80) throw new RangeError(`${field} is not a positive number`);
    if (first !== 0) return bytes;
    if ((bytes[1] ?? 0) < 0x80) throw new RangeError(`${field} has a needless leading zero`);
    return bytes.subarray(1);
  }

  /** Everything must have been read. */
  end(field: string): void {
    if (this.#at !== this.#bytes.length) throw new RangeError(`${field} has bytes after its end`);
  }
}
