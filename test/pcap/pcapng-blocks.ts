/** Blocks of pcapng files as tests make them, little-endian. */
export function section(options: readonly Buffer[] = []): Buffer {
  return block(0x0a0d0d0a, words(0x1a2b3c4d, 1, 0xffff_ffff, 0xffff_ffff), ...options);
}

export function description(linkType: number, options: readonly Buffer[] = []): Buffer {
  return block(1, words(linkType, 0), ...options);
}

/** An enhanced packet block, with a time of `SECONDS`, where its interface counts microseconds. */
export function enhanced(frame: Buffer, id = 0): Buffer {
  const micros = BigInt(SECONDS) * 1_000_000n;
  const time = [Number(micros >> 32n), Number(micros & 0xffff_ffffn)];
  return block(6, words(id, ...time, frame.length, frame.length), frame, Buffer.alloc(-frame.length & 3));
}

/** A simple packet block. */
export function simple(frame: Buffer): Buffer {
  return block(3, words(frame.length), frame, Buffer.alloc(-frame.length & 3));
}

export function block(type: number, ...parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  const length = words(body.length + 12);
  return Buffer.concat([words(type), length, body, length]);
}

export function option(code: number, value: Buffer): Buffer {
  return Buffer.concat([words(value.length * 2 ** 16 + code), value, Buffer.alloc(-value.length & 3)]);
}

export function words(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4);
  values.forEach((value, index) => bytes.writeUInt32LE(value, index * 4));
  return bytes;
}

export const SECONDS = 1_700_000_000;
export const ETHERNET = 1;
export const RAW = 101;
