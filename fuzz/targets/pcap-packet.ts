/** The dissector. The first byte chooses the link type; packets follow, each with two bytes of length in front. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CapturedPacket } from '../../src/pcap/file/captured-packet.js';
import { recogniseCapture } from '../../src/pcap/file/read-capture.js';
import { Dissector, PROTOCOL } from '../../src/pcap/layers/dissector.js';

const LINK_TYPES = [1, 0, 12, 101, 108, 113, 228, 229, 276];

export function fuzz(input: Uint8Array): void {
  const dissector = new Dissector();
  const packet = new CapturedPacket();
  packet.linkType = LINK_TYPES[(input[0] ?? 0) % LINK_TYPES.length] ?? 1;
  packet.buffer = Buffer.from(input);
  for (let at = 1; at + 2 <= input.length; at = packet.end) {
    packet.start = at + 2;
    packet.end = Math.min(input.length, packet.start + packet.buffer.readUInt16BE(at));
    if (dissector.dissect(packet) === PROTOCOL.none) continue;
    const { buffer, offset, end, family, source, destination } = dissector;
    if (offset > end || end > buffer.length) throw new Error('the payload lies outside of the packet');
    if (Math.max(source, destination) + (family === 4 ? 4 : 16) > buffer.length)
      throw new Error('an address lies outside');
    if (buffer === packet.buffer && end > packet.end) throw new Error("the neighbour's bytes");
  }
}

export function seeds(): Uint8Array[] {
  const found: Uint8Array[] = [];
  for (const name of ['hello-retry.pcapng', 'cooked.pcapng', 'dtls.pcapng']) {
    const capture = readFileSync(join(process.cwd(), 'fixtures/pcap', name));
    const packets: number[] = [];
    let linkType = 1;
    const take = (packet: CapturedPacket): void => {
      linkType = packet.linkType;
      const length = packet.end - packet.start;
      packets.push(length >> 8, length & 0xff, ...packet.buffer.subarray(packet.start, packet.end));
    };
    recogniseCapture(capture, { packet: take }, name).consume(capture, 0, capture.length, 0);
    found.push(Uint8Array.from([LINK_TYPES.indexOf(linkType), ...packets]));
  }
  return found;
}
