import { type Endpoints, tcpPacket } from '../../../src/pcap/write/ip-packet.js';

/** One TCP connection's packets for tests, as raw IP. */
export class Wire {
  private readonly client: Endpoints;
  private readonly server: Endpoints;

  constructor(
    port = 50_000,
    readonly clientIsn = 0xffff_ff00,
    readonly serverIsn = 1000,
  ) {
    const [source, destination] = [Uint8Array.of(10, 0, 0, 1), Uint8Array.of(10, 0, 0, 2)];
    this.client = { source, sourcePort: port, destination, destinationPort: 443 };
    this.server = { source: destination, sourcePort: 443, destination: source, destinationPort: port };
  }

  syn(payload: Uint8Array = new Uint8Array(0)): Buffer {
    return flagged(tcpPacket(this.client, this.clientIsn, 0, payload), 0x02);
  }

  synAck(): Buffer {
    return flagged(tcpPacket(this.server, this.serverIsn, this.clientIsn + 1, new Uint8Array(0)), 0x12);
  }

  /** Bytes of a side's stream from `offset` on. */
  data(from: 'client' | 'server', offset: number, bytes: Uint8Array): Buffer {
    const [ends, isn] = from === 'client' ? [this.client, this.clientIsn] : [this.server, this.serverIsn];
    return tcpPacket(ends, (isn + 1 + offset) >>> 0, 0, bytes);
  }
}

/** The same packet with other flags; its checksum is wrong then, and nobody looks at it. */
function flagged(packet: Buffer, flags: number): Buffer {
  packet.writeUInt8(flags, 20 + 13);
  return packet;
}

/** A handshake message of a valid shape with `length` bytes after the header, in one record. */
export function helloRecord(type: 1 | 2, length = 200): Buffer {
  const message = Buffer.alloc(4 + length, 0x11);
  message.writeUInt8(type, 0);
  message.writeUIntBE(length, 1, 3);
  message.writeUInt16BE(0x0303, 4);
  return Buffer.concat([Buffer.of(22, 3, 1, message.length >> 8, message.length & 0xff), message]);
}
