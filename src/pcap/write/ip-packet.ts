/** IP packets with TCP segments or UDP datagrams in them, checksums included (RFC 791, 8200, 9293, 768). */
import { internetChecksum, pseudoHeader } from '../checksum.js';
import { parseAddress } from '../../snapshot/address-text.js';

/** Sender and receiver: addresses of one family, 4 or 16 bytes. */
export interface Endpoints {
  readonly source: Uint8Array;
  readonly sourcePort: number;
  readonly destination: Uint8Array;
  readonly destinationPort: number;
}

/** Reads two addresses; where only one is IPv4, it is v4-mapped. Null where one is no address. */
export function addressPair(source: string, destination: string): [Uint8Array, Uint8Array] | null {
  const pair = [parseAddress(source), parseAddress(destination)] as const;
  const [from, to] = pair;
  if (!from || !to) return null;
  return from.length === to.length ? [from, to] : [mapped(from), mapped(to)];
}

/** A segment with PSH and ACK. */
export function tcpPacket(ends: Endpoints, sequence: number, acknowledged: number, payload: Uint8Array): Buffer {
  const header = Buffer.alloc(20);
  header.writeUInt16BE(ends.sourcePort, 0);
  header.writeUInt16BE(ends.destinationPort, 2);
  header.writeUInt32BE(sequence >>> 0, 4);
  header.writeUInt32BE(acknowledged >>> 0, 8);
  header.writeUInt8(5 << 4, 12);
  header.writeUInt8(PSH_ACK, 13);
  header.writeUInt16BE(0xffff, 14);
  const segment = Buffer.concat([header, payload]);
  segment.writeUInt16BE(transportChecksum(ends, TCP, segment), 16);
  return ipPacket(ends, TCP, segment);
}

export function udpPacket(ends: Endpoints, payload: Uint8Array): Buffer {
  const header = Buffer.alloc(8);
  header.writeUInt16BE(ends.sourcePort, 0);
  header.writeUInt16BE(ends.destinationPort, 2);
  header.writeUInt16BE(8 + payload.length, 4);
  const datagram = Buffer.concat([header, payload]);
  // Zero would mean that there is none.
  datagram.writeUInt16BE(transportChecksum(ends, UDP, datagram) || 0xffff, 6);
  return ipPacket(ends, UDP, datagram);
}

function ipPacket({ source, destination }: Endpoints, protocol: number, payload: Uint8Array): Buffer {
  const header = source.length === 4 ? ipv4Header(payload.length, protocol) : ipv6Header(payload.length, protocol);
  const addressAt = header.length - source.length - destination.length;
  header.set(source, addressAt);
  header.set(destination, addressAt + source.length);
  if (source.length === 4) header.writeUInt16BE(internetChecksum(header), 10);
  return Buffer.concat([header, payload]);
}

function ipv4Header(payloadLength: number, protocol: number): Buffer {
  const header = Buffer.alloc(20);
  header.writeUInt8(0x45, 0);
  header.writeUInt16BE(header.length + payloadLength, 2);
  header.writeUInt16BE(DONT_FRAGMENT, 6);
  header.writeUInt8(HOP_LIMIT, 8);
  header.writeUInt8(protocol, 9);
  return header;
}

function ipv6Header(payloadLength: number, protocol: number): Buffer {
  const header = Buffer.alloc(40);
  header.writeUInt8(0x60, 0);
  header.writeUInt16BE(payloadLength, 4);
  header.writeUInt8(protocol, 6);
  header.writeUInt8(HOP_LIMIT, 7);
  return header;
}

function transportChecksum({ source, destination }: Endpoints, protocol: number, segment: Uint8Array): number {
  return internetChecksum(pseudoHeader(source, destination, protocol, segment.length), segment);
}

function mapped(address: Uint8Array): Uint8Array {
  return address.length === 16 ? address : Uint8Array.from([...MAPPED_PREFIX, ...address]);
}

const TCP = 6;
const UDP = 17;
const PSH_ACK = 0x18;
const HOP_LIMIT = 64;
const DONT_FRAGMENT = 0x4000;
const MAPPED_PREFIX = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];
