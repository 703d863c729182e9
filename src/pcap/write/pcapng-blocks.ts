/** Blocks of a pcapng file (draft-ietf-opsawg-pcapng): one little-endian section, one interface, enhanced packets. */

/** Section header and interface description: what a file with raw IP packets and nanoseconds starts with. */
export function pcapngHeader(application: string): Buffer {
  const section = Buffer.alloc(16);
  section.writeUInt32LE(0x1a2b3c4d, 0);
  section.writeUInt16LE(1, 4);
  section.writeBigInt64LE(-1n, 8); // section length not given
  const description = Buffer.alloc(8);
  description.writeUInt16LE(LINKTYPE_RAW, 0);
  return Buffer.concat([
    block(SECTION_HEADER, section, [option(SHB_USERAPPL, Buffer.from(application))]),
    block(INTERFACE_DESCRIPTION, description, [
      option(IF_NAME, Buffer.from('tlsnap')),
      option(IF_TSRESOL, Buffer.of(NANOSECONDS)),
    ]),
  ]);
}

export interface EnhancedPacket {
  /** Nanoseconds since 1970 UTC. */
  readonly timeNs: bigint;
  /** An IPv4 or IPv6 packet. */
  readonly packet: Uint8Array;
  readonly comment: string | null;
  /** As the recording host saw it; null where that is not known. */
  readonly direction: 'inbound' | 'outbound' | null;
}

/** An enhanced packet block. */
export function packetBlock({ timeNs, packet, comment, direction }: EnhancedPacket): Buffer {
  const head = Buffer.alloc(20);
  head.writeUInt32LE(Number((timeNs >> 32n) & 0xffff_ffffn), 4);
  head.writeUInt32LE(Number(timeNs & 0xffff_ffffn), 8);
  head.writeUInt32LE(packet.length, 12);
  head.writeUInt32LE(packet.length, 16);
  const options: Buffer[] = [];
  if (comment !== null) options.push(option(COMMENT, truncatedUtf8(comment, MAX_COMMENT)));
  if (direction !== null) options.push(option(EPB_FLAGS, Buffer.of(direction === 'inbound' ? 1 : 2, 0, 0, 0)));
  return block(ENHANCED_PACKET, Buffer.concat([head, padded(packet)]), options);
}

function block(type: number, body: Uint8Array, options: readonly Buffer[]): Buffer {
  const end = options.length > 0 ? [Buffer.alloc(4)] : [];
  const content = Buffer.concat([body, ...options, ...end]);
  const whole = Buffer.alloc(content.length + 12);
  whole.writeUInt32LE(type, 0);
  whole.writeUInt32LE(whole.length, 4);
  content.copy(whole, 8);
  whole.writeUInt32LE(whole.length, whole.length - 4);
  return whole;
}

function option(code: number, value: Uint8Array): Buffer {
  const head = Buffer.alloc(4);
  head.writeUInt16LE(code, 0);
  head.writeUInt16LE(value.length, 2);
  return Buffer.concat([head, padded(value)]);
}

function padded(bytes: Uint8Array): Uint8Array {
  const missing = (4 - (bytes.length % 4)) % 4;
  return missing === 0 ? bytes : Buffer.concat([bytes, Buffer.alloc(missing)]);
}

/** Cut between characters, never within one. */
function truncatedUtf8(text: string, limit: number): Buffer {
  const bytes = Buffer.from(text);
  if (bytes.length <= limit) return bytes;
  let end = limit;
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end--;
  return bytes.subarray(0, end);
}

const SECTION_HEADER = 0x0a0d0d0a;
const INTERFACE_DESCRIPTION = 1;
const ENHANCED_PACKET = 6;
const COMMENT = 1;
const SHB_USERAPPL = 4;
const IF_NAME = 2;
const IF_TSRESOL = 9;
const EPB_FLAGS = 2;
/** if_tsresol: ten to the minus ninth. */
const NANOSECONDS = 9;
const LINKTYPE_RAW = 101;
const MAX_COMMENT = 16_384;
