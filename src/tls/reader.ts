/**
 * A cursor over borrowed bytes, in the way of rustls' codec and mercury's datum: a nested length makes a reader that cannot see
 * its neighbours, a read past the end is a normal outcome that is noted once and answered with zeros, and nothing is copied.
 */

/** Where reading went wrong. `offset` counts from the first byte of the message. */
export interface Fault {
  readonly field: string;
  readonly offset: number;
  readonly detail: string;
}

/** Keeps the first thing that went wrong in a message; every reader made from one message shares it. */
export class Faults {
  first: Fault | null = null;

  note(field: string, offset: number, detail: string): void {
    this.first ??= { field, offset, detail };
  }

  /** `FIELD at offset N: DETAIL`, or null where all was well. */
  describe(): string | null {
    return this.first === null ? null : `${this.first.field} at offset ${this.first.offset}: ${this.first.detail}`;
  }
}

export class Reader {
  readonly bytes: Uint8Array;
  readonly end: number;
  position: number;
  /** True after a read of this reader itself (not of one nested in it) wanted more than there was. */
  failed = false;
  readonly faults: Faults;

  constructor(bytes: Uint8Array, faults: Faults, start = 0, end = bytes.length) {
    this.bytes = bytes;
    this.faults = faults;
    this.position = start;
    this.end = end;
  }

  get left(): number {
    return this.end - this.position;
  }

  /** An unsigned byte; 0 where there is none. */
  u8(field: string): number {
    if (this.position >= this.end) return this.#short(field, 1);
    return this.bytes[this.position++] ?? 0;
  }

  /** An unsigned 16-bit number, big-endian; 0 where there is none. */
  u16(field: string): number {
    const at = this.position;
    if (at + 2 > this.end) return this.#short(field, 2);
    this.position = at + 2;
    return ((this.bytes[at] ?? 0) << 8) | (this.bytes[at + 1] ?? 0);
  }

  /** An unsigned 24-bit number, big-endian; 0 where there is none. */
  u24(field: string): number {
    const at = this.position;
    if (at + 3 > this.end) return this.#short(field, 3);
    this.position = at + 3;
    return ((this.bytes[at] ?? 0) << 16) | ((this.bytes[at + 1] ?? 0) << 8) | (this.bytes[at + 2] ?? 0);
  }

  /** A view of the next `length` bytes; of all that is left where there are fewer. */
  view(field: string, length: number): Uint8Array {
    const start = this.position;
    return this.bytes.subarray(start, this.#advance(field, length));
  }

  /** A reader of the next `length` bytes; of all that is left where there are fewer. */
  nested(field: string, length: number): Reader {
    const start = this.position;
    return new Reader(this.bytes, this.faults, start, this.#advance(field, length));
  }

  /** A reader of a vector whose length is in the one byte before it (RFC 8446, section 3.4). */
  vector8(field: string): Reader {
    return this.nested(field, this.u8(field));
  }

  /** A reader of a vector whose length is in the two bytes before it. */
  vector16(field: string): Reader {
    return this.nested(field, this.u16(field));
  }

  /** All 16-bit numbers up to the end; a single byte left over is a fault. */
  u16s(field: string): number[] {
    const count = this.left >> 1;
    const values = new Array<number>(count);
    let at = this.position;
    for (let index = 0; index < count; index++, at += 2) {
      values[index] = ((this.bytes[at] ?? 0) << 8) | (this.bytes[at + 1] ?? 0);
    }
    this.position = at;
    if (at < this.end) {
      this.faults.note(field, at, 'odd length, one byte left over');
      this.position = this.end;
    }
    return values;
  }

  /** All bytes up to the end, as numbers. */
  u8s(): number[] {
    const values = new Array<number>(this.left);
    for (let index = 0; index < values.length; index++) values[index] = this.bytes[this.position + index] ?? 0;
    this.position = this.end;
    return values;
  }

  /** All bytes up to the end, each byte one character (ISO 8859-1), so that no byte is lost. */
  latin1(): string {
    const text = latin1(this.bytes, this.position, this.end);
    this.position = this.end;
    return text;
  }

  /** Notes bytes that no field claims. */
  expectEnd(field: string): void {
    if (this.position < this.end) this.faults.note(field, this.position, `${countBytes(this.left)} left over`);
  }

  #advance(field: string, length: number): number {
    const next = this.position + length;
    if (next <= this.end) return (this.position = next);
    this.#short(field, length);
    return this.end;
  }

  #short(field: string, wanted: number): 0 {
    this.faults.note(field, this.position, `${countBytes(wanted)} expected, ${this.left} left`);
    this.failed = true;
    this.position = this.end;
    return 0;
  }
}

/** `1 byte`, `2 bytes`. */
export function countBytes(count: number): string {
  return count === 1 ? '1 byte' : `${count} bytes`;
}

/** Bytes as text, each byte one character (ISO 8859-1). */
export function latin1(bytes: Uint8Array, start = 0, end = bytes.length): string {
  // Names are short: below this a loop beats the crossing into native code.
  if (end - start > LONG_TEXT) {
    return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('latin1');
  }
  let text = '';
  for (let at = start; at < end; at++) text += String.fromCharCode(bytes[at] ?? 0);
  return text;
}

const LONG_TEXT = 32;
