import { randomFillSync } from 'node:crypto';
import { internetChecksum, pseudoHeader } from '../src/pcap/checksum.js';
import type { TemplatePacket } from './capture-templates.js';

/** Makes the packets of a template those of another connection. */
export class Disguise {
  private readonly index: number;
  private readonly random = randomFillSync(Buffer.alloc(32));
  private readonly session = randomFillSync(Buffer.alloc(32));
  private bulkSequence: number | null = null;

  /** @param index which connection of the capture this is; addresses and the client's port follow from it */
  constructor(index: number) {
    this.index = index;
  }

  packet(packet: TemplatePacket): Buffer {
    const frame = Buffer.from(packet.frame);
    if (packet.protocol === 'tcp') this.freshen(frame, packet.payload);
    this.readdress(frame, packet);
    return frame;
  }

  /** A full segment of application data from the server, behind all that came before. */
  bulk(packets: readonly TemplatePacket[]): Buffer {
    const model = packets.findLast(({ fromClient, protocol }) => !fromClient && protocol === 'tcp') ?? packets[0];
    if (!model) throw new Error('an empty template');
    const frame = Buffer.concat([model.frame.subarray(0, model.payload), Buffer.alloc(BULK)]);
    randomFillSync(frame, model.payload);
    frame.set([0x17, 3, 3, (BULK - 5) >> 8, (BULK - 5) & 0xff], model.payload);
    if (model.protocol === 'tcp') {
      this.bulkSequence ??= frame.readUInt32BE(model.transport + 4);
      frame.writeUInt32BE(this.bulkSequence, model.transport + 4);
      this.bulkSequence = (this.bulkSequence + BULK) >>> 0;
      frame.writeUInt8(0x18, model.transport + 13);
    } else frame.writeUInt16BE(frame.length - model.transport, model.transport + 4);
    if (model.family === 4) frame.writeUInt16BE(frame.length - ETHERNET, ETHERNET + 2);
    else frame.writeUInt16BE(frame.length - model.transport, ETHERNET + 4);
    this.readdress(frame, model);
    return frame;
  }

  /** Another random, session id and key share in a ClientHello or ServerHello that starts a segment. */
  private freshen(frame: Buffer, payload: number): void {
    if (frame.length < payload + 80 || frame.readUInt8(payload) !== 22) return;
    const type = frame.readUInt8(payload + 5);
    if (type !== 1 && type !== 2) return;
    const isRetry = type === 2 && frame.readUInt32BE(payload + 11) === RETRY_RANDOM_START;
    if (!isRetry) this.random.copy(frame, payload + 11);
    const sessionLength = frame.readUInt8(payload + 43);
    this.session.copy(frame, payload + 44, 0, Math.min(32, sessionLength));
    let at = payload + 44 + sessionLength;
    at += type === 1 ? 2 + frame.readUInt16BE(at) : 2;
    at += type === 1 ? 1 + frame.readUInt8(at) : 1;
    for (at += 2; at + 4 <= frame.length;) {
      const extension = frame.readUInt16BE(at);
      const length = frame.readUInt16BE(at + 2);
      if (at + 4 + length > frame.length) return;
      // The last 32 bytes are the key, or the end of one.
      if (extension === KEY_SHARE && length > 36) randomFillSync(frame, at + 4 + length - 32, 32);
      at += 4 + length;
    }
  }

  private readdress(frame: Buffer, { family, protocol, fromClient, transport }: TemplatePacket): void {
    const [client, server] = family === 4 ? this.addresses4() : this.addresses6();
    const [source, destination] = fromClient ? [client, server] : [server, client];
    const at = family === 4 ? ETHERNET + 12 : ETHERNET + 8;
    frame.set(fromClient ? MACS : [...MACS.slice(6), ...MACS.slice(0, 6)], 0);
    frame.set(source, at);
    frame.set(destination, at + source.length);
    frame.writeUInt16BE(CLIENT_PORT + (this.index % 20_000), transport + (fromClient ? 0 : 2));
    if (family === 4) {
      frame.writeUInt16BE(0, ETHERNET + 10);
      frame.writeUInt16BE(internetChecksum(frame.subarray(ETHERNET, transport)), ETHERNET + 10);
    }
    const checksumAt = transport + (protocol === 'tcp' ? 16 : 6);
    frame.writeUInt16BE(0, checksumAt);
    const segment = frame.subarray(transport);
    const pseudo = pseudoHeader(source, destination, protocol === 'tcp' ? 6 : 17, segment.length);
    frame.writeUInt16BE(internetChecksum(pseudo, segment) || 0xffff, checksumAt);
  }

  /** 10.0.0.0/8 and 198.18.0.0/15 (RFC 2544, for benchmarks). */
  private addresses4(): [Uint8Array, Uint8Array] {
    const { index } = this;
    return [
      Uint8Array.of(10, (index >> 16) & 0xff, (index >> 8) & 0xff, index & 0xff),
      Uint8Array.of(198, 18, (index >> 3) & 0xff, 1 + (index % 200)),
    ];
  }

  /** 2001:db8::/32, for documentation. */
  private addresses6(): [Uint8Array, Uint8Array] {
    const prefix = [0x20, 0x01, 0x0d, 0xb8];
    const client = Uint8Array.from([...prefix, 0, 1, ...Array.from({ length: 10 }, () => 0)]);
    new DataView(client.buffer).setUint32(12, this.index);
    return [client, Uint8Array.from([...prefix, 0, 2, ...Array.from({ length: 9 }, () => 0), 1 + (this.index % 200)])];
  }
}

const ETHERNET = 14;
const MACS = [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
const CLIENT_PORT = 40_000;
const BULK = 1448;
const KEY_SHARE = 51;
const RETRY_RANDOM_START = 0xcf21ad74;
