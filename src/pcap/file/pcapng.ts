/**
 * The pcapng capture file (draft-ietf-opsawg-pcapng). Implemented: sections of either byte order, any number of
 * interfaces with if_tsresol and if_tsoffset, enhanced, simple and (obsolete) packet blocks. Other blocks are skipped.
 */
import { type CaptureFault, type CaptureFormat, MAX_RECORD } from './capture-format.js';
import { CapturedPacket, type Clock, NO_CLOCK, type PacketSink, tickClock } from './captured-packet.js';

/** True where these bytes begin a section header block. */
export function isPcapng(header: Buffer): boolean {
  return header.length >= 12 && header.readUInt32LE(0) === SECTION_HEADER && byteOrder(header, 8) !== null;
}

export class Pcapng implements CaptureFormat {
  readonly name = 'pcapng';
  fault: CaptureFault | null = null;
  packets = 0;
  oversized = 0;
  private readonly sink: PacketSink;
  private readonly packet = new CapturedPacket();
  private little = true;
  private interfaces: Interface[] = [];

  constructor(sink: PacketSink) {
    this.sink = sink;
  }

  consume(buffer: Buffer, start: number, end: number, fileOffset: number): number {
    let offset = start;
    this.packet.buffer = buffer;
    while (end - offset >= 12) {
      // A section header's type reads the same in both orders; its magic says which one its own length is in.
      if (buffer.readUInt32LE(offset) === SECTION_HEADER) {
        const little = byteOrder(buffer, offset + 8);
        if (little === null)
          return this.damaged(fileOffset + offset - start, 'a section without byte-order magic', end);
        this.little = little;
      }
      const type = this.uint32(buffer, offset);
      const length = this.uint32(buffer, offset + 4);
      if (length < 12 || length % 4 !== 0) {
        return this.damaged(fileOffset + offset - start, `a block of ${length} bytes`, end);
      }
      if (length > MAX_RECORD && !DESCRIBING.has(type)) {
        if (HOLDING_PACKETS.has(type)) this.oversized++;
        offset += length;
        continue;
      }
      // What a larger description begins with says what matters; the rest of its options are passed over.
      const read = Math.min(length, MAX_RECORD);
      if (end - offset < read) break;
      const fault = this.block(buffer, type, offset + 8, offset + read - 4);
      if (fault) return this.damaged(fileOffset + offset - start, fault, end);
      offset += length;
    }
    return offset;
  }

  finish(remaining: number, fileOffset: number): void {
    if (remaining === 0 || this.fault) return;
    const detail = `the file ends inside the block after packet ${this.packets}`;
    this.fault = { offset: fileOffset, kind: 'cut', detail };
  }

  /** Handles the block whose body is buffer[body, end); returns what is wrong with it. */
  private block(buffer: Buffer, type: number, body: number, end: number): string | null {
    switch (type) {
      case ENHANCED_PACKET:
        return this.packetBlock(buffer, body, end, 4);
      case PACKET:
        return this.packetBlock(buffer, body, end, 2);
      case SIMPLE_PACKET:
        return this.simplePacket(buffer, body, end);
      case INTERFACE_DESCRIPTION:
        return this.interfaceBlock(buffer, body, end);
      case SECTION_HEADER:
        this.interfaces = [];
        return null;
      default:
        return null;
    }
  }

  private packetBlock(buffer: Buffer, body: number, end: number, idWidth: 2 | 4): string | null {
    if (end - body < 20) return 'a packet block without its header';
    const id = idWidth === 4 ? this.uint32(buffer, body) : this.uint16(buffer, body);
    const captured = this.uint32(buffer, body + 12);
    if (captured > end - body - 20) return `packet ${this.packets + 1} claims ${captured} captured bytes`;
    this.packet.timeHigh = this.uint32(buffer, body + 4);
    this.packet.timeLow = this.uint32(buffer, body + 8);
    return this.emit(id, true, body + 20, body + 20 + captured);
  }

  private simplePacket(buffer: Buffer, body: number, end: number): string | null {
    if (end - body < 4) return 'a simple packet block without its header';
    // It has no captured length: that is the smallest of the original length, the snap length and what is there.
    const snapLength = this.interfaces[0]?.snapLength ?? 0;
    const original = this.uint32(buffer, body);
    const captured = Math.min(original, snapLength === 0 ? original : snapLength, end - body - 4);
    return this.emit(0, false, body + 4, body + 4 + captured);
  }

  private emit(id: number, timed: boolean, start: number, end: number): string | null {
    const from = this.interfaces[id];
    if (!from) return `packet ${this.packets + 1} names interface ${id}, which is not described`;
    const { packet } = this;
    packet.linkType = from.linkType;
    packet.clock = timed ? from.clock : NO_CLOCK;
    packet.start = start;
    packet.end = end;
    packet.frame = ++this.packets;
    this.sink.packet(packet);
    return null;
  }

  private interfaceBlock(buffer: Buffer, body: number, end: number): string | null {
    if (end - body < 8) return 'an interface description without its header';
    if (this.interfaces.length >= MAX_INTERFACES) return `more than ${MAX_INTERFACES} interfaces`;
    let ticksPerSecond = 1_000_000n;
    let offsetSeconds = 0n;
    for (let at = body + 8; end - at >= 4;) {
      const code = this.uint16(buffer, at);
      const length = this.uint16(buffer, at + 2);
      if (code === OPTION_END || length > end - at - 4) break;
      if (code === OPTION_TSRESOL && length === 1) ticksPerSecond = resolution(buffer.readUInt8(at + 4));
      if (code === OPTION_TSOFFSET && length === 8) {
        offsetSeconds = this.little ? buffer.readBigInt64LE(at + 4) : buffer.readBigInt64BE(at + 4);
      }
      at += 4 + length + ((4 - (length % 4)) % 4);
    }
    this.interfaces.push({
      linkType: this.uint16(buffer, body),
      snapLength: this.uint32(buffer, body + 4),
      clock: tickClock(ticksPerSecond, offsetSeconds),
    });
    return null;
  }

  private damaged(offset: number, detail: string, end: number): number {
    this.fault = { offset, kind: 'damaged', detail };
    return end;
  }

  private uint16(buffer: Buffer, offset: number): number {
    return this.little ? buffer.readUInt16LE(offset) : buffer.readUInt16BE(offset);
  }

  private uint32(buffer: Buffer, offset: number): number {
    return this.little ? buffer.readUInt32LE(offset) : buffer.readUInt32BE(offset);
  }
}

interface Interface {
  readonly linkType: number;
  readonly snapLength: number;
  readonly clock: Clock;
}

/** if_tsresol: a negative power of ten, or of two where the top bit is set. */
function resolution(value: number): bigint {
  const exponent = BigInt(value & 0x7f);
  return (value & 0x80 ? 2n : 10n) ** exponent;
}

/** True: little-endian; false: big-endian; null: no byte-order magic here. */
function byteOrder(buffer: Buffer, offset: number): boolean | null {
  if (buffer.readUInt32LE(offset) === BYTE_ORDER_MAGIC) return true;
  return buffer.readUInt32BE(offset) === BYTE_ORDER_MAGIC ? false : null;
}

const SECTION_HEADER = 0x0a0d0d0a;
const INTERFACE_DESCRIPTION = 1;
const PACKET = 2;
const SIMPLE_PACKET = 3;
const ENHANCED_PACKET = 6;
/** What follows cannot be read without these. */
const DESCRIBING = new Set([SECTION_HEADER, INTERFACE_DESCRIPTION]);
const HOLDING_PACKETS = new Set([PACKET, SIMPLE_PACKET, ENHANCED_PACKET]);
const OPTION_END = 0;
const OPTION_TSRESOL = 9;
const OPTION_TSOFFSET = 14;
const BYTE_ORDER_MAGIC = 0x1a2b3c4d;
/** Bounds what a hostile file can make us keep; Wireshark's own largest captures have some hundred. */
const MAX_INTERFACES = 65_536;
