/**
 * The classic capture file (draft-ietf-opsawg-pcap): a 24-byte file header, then a 16-byte header before each packet.
 * Implemented: both byte orders, microsecond and nanosecond fractions, and the 24-byte packet headers of the
 * "modified" variant (magic a1b2cd34). The upper half of the link-type field (FCS length) is ignored.
 */
import { type CaptureFault, type CaptureFormat, MAX_RECORD } from './capture-format.js';
import { uint32be, uint32le } from '../wire-numbers.js';
import { CapturedPacket, type Clock, type PacketSink, secondsClock } from './captured-packet.js';

export const PCAP_HEADER_LENGTH = 24;

/** Reads the file header, or returns null where these bytes are not one. */
export function openClassicPcap(header: Buffer, sink: PacketSink): ClassicPcap | null {
  if (header.length < PCAP_HEADER_LENGTH) return null;
  const little = VARIANTS.get(header.readUInt32LE(0));
  const variant = little ?? VARIANTS.get(header.readUInt32BE(0));
  if (!variant) return null;
  const isLittle = little !== undefined;
  const linkType = (isLittle ? header.readUInt32LE(20) : header.readUInt32BE(20)) & 0xffff;
  return new ClassicPcap(isLittle, secondsClock(variant.unitNs), variant.recordHeader, linkType, sink);
}

export class ClassicPcap implements CaptureFormat {
  readonly name = 'pcap';
  fault: CaptureFault | null = null;
  packets = 0;
  readonly oversized = 0;
  readonly linkType: number;
  private readonly little: boolean;
  private readonly recordHeader: number;
  private readonly sink: PacketSink;
  private readonly packet = new CapturedPacket();
  private headerTaken = false;

  constructor(little: boolean, clock: Clock, recordHeader: number, linkType: number, sink: PacketSink) {
    this.little = little;
    this.recordHeader = recordHeader;
    this.linkType = linkType;
    this.sink = sink;
    this.packet.clock = clock;
    this.packet.linkType = linkType;
  }

  consume(buffer: Buffer, start: number, end: number, fileOffset: number): number {
    let offset = start;
    if (!this.headerTaken) {
      if (end - offset < PCAP_HEADER_LENGTH) return offset;
      offset += PCAP_HEADER_LENGTH;
      this.headerTaken = true;
    }
    const { packet, little, recordHeader } = this;
    packet.buffer = buffer;
    while (end - offset >= recordHeader) {
      const captured = little ? uint32le(buffer, offset + 8) : uint32be(buffer, offset + 8);
      if (captured > MAX_RECORD) {
        const detail = `packet ${this.packets + 1} claims ${captured} captured bytes`;
        this.fault = { offset: fileOffset + offset - start, kind: 'damaged', detail };
        return end;
      }
      const data = offset + recordHeader;
      if (end - data < captured) break;
      packet.timeHigh = little ? uint32le(buffer, offset) : uint32be(buffer, offset);
      packet.timeLow = little ? uint32le(buffer, offset + 4) : uint32be(buffer, offset + 4);
      packet.start = data;
      packet.end = data + captured;
      packet.frame = ++this.packets;
      this.sink.packet(packet);
      offset = data + captured;
    }
    return offset;
  }

  finish(remaining: number, fileOffset: number): void {
    if (remaining === 0 || this.fault) return;
    const detail = `the file ends inside packet ${this.packets + 1}`;
    this.fault = { offset: fileOffset, kind: 'cut', detail };
  }
}

const VARIANTS = new Map<number, { unitNs: 1 | 1000; recordHeader: 16 | 24 }>([
  [0xa1b2c3d4, { unitNs: 1000, recordHeader: 16 }],
  [0xa1b23c4d, { unitNs: 1, recordHeader: 16 }],
  [0xa1b2cd34, { unitNs: 1000, recordHeader: 24 }],
]);
