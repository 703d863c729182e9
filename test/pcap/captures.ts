import { Readable } from 'node:stream';
import type { ByteSource } from '../../src/pcap/file/byte-source.js';
import type { CapturedPacket } from '../../src/pcap/file/captured-packet.js';
import { type CaptureSummary, readCapture, recogniseCapture } from '../../src/pcap/file/read-capture.js';
import { type ExtractorOptions, HelloExtractor } from '../../src/pcap/flow/hello-extractor.js';
import type { CapturedHello } from '../../src/pcap/hello/captured-hello.js';
import { helloRow } from '../../src/pcap/hello/hello-row.js';
import type { HandshakeRow } from '../../src/snapshot/timeline-file.js';
import { FingerprintCache } from '../../src/tls/fingerprint-cache.js';

/** Captures as tests make them: packets in a classic pcap of microseconds. */
export function pcapOf(linkType: number, packets: readonly Uint8Array[]): Buffer {
  const header = Buffer.alloc(24);
  header.writeUInt32LE(0xa1b2c3d4, 0);
  header.writeUInt16LE(2, 4);
  header.writeUInt16LE(4, 6);
  header.writeUInt32LE(262_144, 16);
  header.writeUInt32LE(linkType, 20);
  return Buffer.concat([header, ...packets.map((packet, index) => pcapRecord(packet, index))]);
}

export function pcapRecord(packet: Uint8Array, index: number): Buffer {
  const head = Buffer.alloc(16);
  head.writeUInt32LE(1_700_000_000 + Math.floor(index / 1e6), 0);
  head.writeUInt32LE(index % 1e6, 4);
  head.writeUInt32LE(packet.length, 8);
  head.writeUInt32LE(packet.length, 12);
  return Buffer.concat([head, packet]);
}

/** The packets of a capture in memory. */
export function packetsOf(capture: Buffer): { bytes: Buffer; timeNs: bigint; linkType: number }[] {
  const packets: { bytes: Buffer; timeNs: bigint; linkType: number }[] = [];
  const format = recogniseCapture(capture, { packet: (packet) => packets.push(copyOf(packet)) }, 'test');
  format.consume(capture, 0, capture.length, 0);
  return packets;
}

export function copyOf(packet: CapturedPacket): { bytes: Buffer; timeNs: bigint; linkType: number } {
  const bytes = Buffer.from(packet.buffer.subarray(packet.start, packet.end));
  return { bytes, timeNs: packet.timeNs(), linkType: packet.linkType };
}

/** The hellos of a capture in memory, as lines of the timeline, in order of time. */
export function rowsOf(capture: Buffer, options: ExtractorOptions = {}): HandshakeRow[] {
  const rows: HandshakeRow[] = [];
  const cache = new FingerprintCache();
  extract(capture, (hello, ends) => rows.push(helloRow(hello, ends, cache)), options);
  return rows.sort((a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : 0));
}

export function extract(
  capture: Buffer,
  sink: ConstructorParameters<typeof HelloExtractor>[0],
  options: ExtractorOptions = {},
): HelloExtractor {
  const extractor = new HelloExtractor(sink, options);
  recogniseCapture(capture, extractor, 'test').consume(capture, 0, capture.length, 0);
  extractor.end();
  return extractor;
}

/** What is the same of a hello however its segments came. */
export const essence = ({ kind, raw, complete }: CapturedHello): string =>
  `${kind} ${complete} ${Buffer.from(raw).toString('hex')}`;

/** A source that gives its bytes in pieces of the given sizes, again and again. */
export function pieces(bytes: Buffer, sizes: readonly number[]): ByteSource {
  let at = 0;
  let turn = 0;
  return {
    name: 'pieces',
    size: bytes.length,
    stopped: false,
    fault: null,
    read: (target) => {
      const taken = bytes.copy(target, 0, at, at + Math.max(1, sizes[turn++ % sizes.length] ?? 1));
      at += taken;
      return Promise.resolve(taken);
    },
    digest: () => Promise.resolve({ size: bytes.length, sha256: '' }),
    close: () => Promise.resolve(),
  };
}

export async function summaryOf(source: ByteSource): Promise<CaptureSummary & { read: Buffer[] }> {
  const read: Buffer[] = [];
  const summary = await readCapture(source, { packet: (packet) => read.push(copyOf(packet).bytes) });
  return { ...summary, read };
}

export const streamOf = (bytes: Buffer): Readable => Readable.from([bytes]);
