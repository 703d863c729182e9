/** Reads at most `length` bytes at `offset`; fewer at the end of the file. */
export type ReadAt = (offset: number, length: number) => Buffer;

/**
 * The GNU build id of an ELF file, in hex, or null where it has none or is not ELF (elf(5), NT_GNU_BUILD_ID).
 * Only program headers are used: section headers can be stripped. Every length is bounded before it is believed.
 */
export function elfBuildId(readAt: ReadAt): string | null {
  const header = readAt(0, 64);
  if (header.length < 52 || !header.subarray(0, 4).equals(ELF_MAGIC)) return null;
  const wide = header[4] === 2;
  const little = header[5] === 1;
  if (wide && header.length < 64) return null;
  const u16 = (bytes: Buffer, at: number) => (little ? bytes.readUInt16LE(at) : bytes.readUInt16BE(at));
  const u32 = (bytes: Buffer, at: number) => (little ? bytes.readUInt32LE(at) : bytes.readUInt32BE(at));
  const word = (bytes: Buffer, at: number) =>
    wide ? Number(little ? bytes.readBigUInt64LE(at) : bytes.readBigUInt64BE(at)) : u32(bytes, at);

  const tableOffset = word(header, wide ? 32 : 28);
  const entrySize = u16(header, wide ? 54 : 42);
  const entries = Math.min(u16(header, wide ? 56 : 44), MAX_PROGRAM_HEADERS);
  if (entrySize < (wide ? 56 : 32) || entrySize > 256 || !sane(tableOffset)) return null;

  const table = readAt(tableOffset, entrySize * entries);
  for (let at = 0; at + entrySize <= table.length; at += entrySize) {
    if (u32(table, at) !== PT_NOTE) continue;
    const offset = word(table, at + (wide ? 8 : 4));
    const size = word(table, at + (wide ? 32 : 16));
    if (!sane(offset) || !sane(size)) continue;
    const found = buildIdOfNotes(readAt(offset, Math.min(size, MAX_NOTES)), u32);
    if (found !== null) return found;
  }
  return null;
}

function buildIdOfNotes(notes: Buffer, u32: (bytes: Buffer, at: number) => number): string | null {
  let at = 0;
  while (at + 12 <= notes.length) {
    const nameSize = u32(notes, at);
    const valueSize = u32(notes, at + 4);
    const value = at + 12 + align4(nameSize);
    if (value + valueSize > notes.length) return null;
    const isBuildId = u32(notes, at + 8) === NT_GNU_BUILD_ID && notes.subarray(at + 12, at + 12 + nameSize).equals(GNU);
    if (isBuildId && valueSize >= 1 && valueSize <= MAX_BUILD_ID) {
      return notes.toString('hex', value, value + valueSize);
    }
    at = value + align4(valueSize);
  }
  return null;
}

function align4(size: number): number {
  return Math.ceil(size / 4) * 4;
}

function sane(value: number): boolean {
  return value >= 0 && value <= Number.MAX_SAFE_INTEGER / 2;
}

const ELF_MAGIC = Buffer.from('\x7fELF', 'latin1');
const GNU = Buffer.from('GNU\0', 'latin1');
const PT_NOTE = 4;
const NT_GNU_BUILD_ID = 3;
/** A kernel accepts 64 KiB of program headers; linkers write about a dozen. */
const MAX_PROGRAM_HEADERS = 256;
const MAX_NOTES = 65536;
const MAX_BUILD_ID = 64;
