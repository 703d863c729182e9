import { fileURLToPath } from 'node:url';
import { openByteSource } from '../src/pcap/file/byte-source.js';
import { readCapture } from '../src/pcap/file/read-capture.js';
import { Dissector, PROTOCOL } from '../src/pcap/layers/dissector.js';

/** A packet of a connection: an Ethernet frame, and where in it things stand. */
export interface TemplatePacket {
  readonly frame: Buffer;
  readonly family: 4 | 6;
  readonly protocol: 'tcp' | 'udp';
  readonly fromClient: boolean;
  /** Offsets of the transport header and of its payload. */
  readonly transport: number;
  readonly payload: number;
}

/** One connection. */
export interface Template {
  readonly packets: TemplatePacket[];
  bytes: number;
}

/** The connections of a small capture; fragments are left out, as their addresses cannot be changed one by one. */
export async function readTemplates(url: URL): Promise<Template[]> {
  const templates = new Map<string, Template>();
  const dissector = new Dissector();
  const source = await openByteSource(fileURLToPath(url), process.stdin);
  await readCapture(source, {
    packet: (packet) => {
      const protocol = dissector.dissect(packet);
      if (protocol === PROTOCOL.none || dissector.buffer !== packet.buffer) return;
      const { sourcePort, destinationPort, family } = dissector;
      const key = `${protocol}/${family}/${[sourcePort, destinationPort].sort((a, b) => a - b).join('/')}`;
      const known = templates.get(key);
      const template = known ?? { packets: [], bytes: 0 };
      if (!known) templates.set(key, template);
      // Every client here has an ephemeral port, every server a chosen one below.
      const fromClient = sourcePort > destinationPort;
      const transport = dissector.destination - packet.start + (family === 4 ? 4 : 16);
      template.packets.push({
        frame: Buffer.from(packet.buffer.subarray(packet.start, packet.end)),
        family,
        protocol: protocol === PROTOCOL.tcp ? 'tcp' : 'udp',
        fromClient,
        transport,
        payload: dissector.offset - packet.start,
      });
      template.bytes += packet.end - packet.start + 16;
    },
  });
  await source.close();
  return [...templates.values()].filter(({ packets }) => packets.length > 3);
}
