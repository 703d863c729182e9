/**
 * The one tar header that a member of a snapshot has: POSIX ustar (IEEE Std 1003.1, pax "ustar Interchange Format"), a
 * regular file of user and group 0 without names, mode 0400. Writing is archiver's; this is what its bytes must be.
 */
export const BLOCK = 512;

/** The header block of a member: `path` with its folder, `size` in bytes, `mtime` in seconds. */
export function canonicalHeader(path: string, size: number, mtime: number): Buffer {
  const block = Buffer.alloc(BLOCK);
  const slash = path.indexOf('/');
  const split = path.length > NAME_BYTES ? [path.slice(slash + 1), path.slice(0, slash)] : [path, ''];
  block.write(split[0] ?? '', 0, NAME_BYTES, 'latin1');
  block.write(octal(0o400, 7), 100, 'latin1');
  block.write(octal(0, 7), 108, 'latin1');
  block.write(octal(0, 7), 116, 'latin1');
  writeSize(block, size);
  block.write(octal(mtime, 12), 136, 'latin1');
  block.write('0', 156, 'latin1');
  block.write('ustar\x0000', 257, 'latin1');
  block.write(octal(0, 7), 329, 'latin1');
  block.write(octal(0, 7), 337, 'latin1');
  block.write(split[1] ?? '', 345, 155, 'latin1');
  block.write(octal(checksum(block), 7), 148, 'latin1');
  return block;
}

/**
 * The time of every member, in seconds: the end of the window. A capture file can claim any time, and archiver writes 31 bits
 * of it: what is later than 2038-01-19T03:14:07Z is given as that.
 */
export function memberTime(windowEnd: string): number {
  return Math.min(Math.floor(Date.parse(windowEnd) / 1000), 2 ** 31 - 1);
}

export interface TarHeader {
  readonly path: string;
  readonly size: number;
  readonly mtime: number;
}

/** Reads a header of the kind above; returns what is wrong with any other. All fields but the mode bits are looked at. */
export function readHeader(block: Buffer): TarHeader | { readonly fault: string } {
  const size = readNumber(block, 124, 12);
  const mtime = readNumber(block, 136, 12);
  const stated = readNumber(block, 148, 8);
  if (stated !== checksum(block)) return { fault: 'the header checksum is wrong' };
  if (block.toString('latin1', 257, 265) !== 'ustar\x0000') return { fault: 'not a POSIX ustar header' };
  const type = block[156] ?? 0;
  if (type !== REGULAR) return { fault: TYPES[String.fromCharCode(type)] ?? `entry type ${type} is not allowed` };
  if (size === undefined) return { fault: 'the size is not a number' };
  if (mtime === undefined) return { fault: 'the time is not a number' };
  const name = text(block, 0, NAME_BYTES);
  const prefix = text(block, 345, 155);
  return { path: prefix === '' ? name : `${prefix}/${name}`, size, mtime };
}

function checksum(block: Buffer): number {
  let sum = 8 * SPACE;
  for (let at = 0; at < BLOCK; at += 1) if (at < 148 || at >= 156) sum += block[at] ?? 0;
  return sum;
}

/** Octal digits, zero padded, then a space: `width` bytes in all. */
function octal(value: number, width: number): string {
  return `${value.toString(8).padStart(width - 1, '0')} `;
}

/** Octal up to 8 GiB; beyond it GNU's base 256, as every tar of today reads it. */
function writeSize(block: Buffer, size: number): void {
  if (size < 8 ** 11) {
    block.write(octal(size, 12), 124, 'latin1');
    return;
  }
  block[124] = 0x80;
  block.writeUIntBE(size, 130, 6);
}

function readNumber(block: Buffer, at: number, length: number): number | undefined {
  if (block[at] === 0x80) {
    for (let i = at + 1; i < at + length - 6; i += 1) if (block[i] !== 0) return undefined;
    return block.readUIntBE(at + length - 6, 6);
  }
  const digits = /^ *([0-7]+)[ \0]*$/.exec(block.toString('latin1', at, at + length))?.[1];
  return digits === undefined ? undefined : Number.parseInt(digits, 8);
}

function text(block: Buffer, at: number, length: number): string {
  const end = block.indexOf(0, at);
  return block.toString('latin1', at, end < 0 || end > at + length ? at + length : end);
}

const NAME_BYTES = 100;
const SPACE = 0x20;
const REGULAR = 0x30;
const TYPES: Record<string, string> = {
  '1': 'a hard link is not allowed',
  '2': 'a symbolic link is not allowed',
  '3': 'a character device is not allowed',
  '4': 'a block device is not allowed',
  '5': 'a folder entry is not allowed',
  '6': 'a FIFO is not allowed',
  g: 'a PAX global header is not allowed',
  x: 'a PAX header is not allowed',
  K: 'a GNU long link is not allowed',
  L: 'a GNU long name is not allowed',
  S: 'a GNU sparse file is not allowed',
};
