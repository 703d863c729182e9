import { internetChecksum, pseudoHeader } from '../../../src/pcap/checksum.js';

/** Wraps packets the way tunnels and links do; tshark says in the tests whether it was done right. */
export type Wrap = (ip: Buffer) => Buffer;

const isV6 = (ip: Buffer): boolean => ip.readUInt8(0) >> 4 === 6;
const etherType = (ip: Buffer): number => (isV6(ip) ? 0x86dd : 0x0800);
const u16 = (value: number): Buffer => Buffer.of(value >> 8, value & 0xff);
const u32 = (value: number): Buffer => Buffer.of(value >>> 24, (value >> 16) & 0xff, (value >> 8) & 0xff, value & 0xff);
const MACS = Buffer.from('020000000001020000000002', 'hex');

export const ethernet: Wrap = (ip) => Buffer.concat([MACS, u16(etherType(ip)), ip]);
export const vlan: Wrap = (ip) => Buffer.concat([MACS, u16(0x8100), u16(7), u16(etherType(ip)), ip]);
export const qinq: Wrap = (ip) =>
  Buffer.concat([MACS, u16(0x88a8), u16(7), u16(0x8100), u16(8), u16(etherType(ip)), ip]);
export const snap: Wrap = (ip) =>
  Buffer.concat([MACS, u16(8 + ip.length), Buffer.from('aaaa03000000', 'hex'), u16(etherType(ip)), ip]);
export const pppoe: Wrap = (ip) =>
  Buffer.concat([MACS, u16(0x8864), Buffer.of(0x11, 0), u16(1), u16(ip.length + 2), u16(isV6(ip) ? 0x57 : 0x21), ip]);
export const mpls: Wrap = (ip) => Buffer.concat([MACS, u16(0x8847), Buffer.from('00010040' + '00011140', 'hex'), ip]);
export const cooked: Wrap = (ip) => Buffer.concat([u16(4), u16(1), u16(6), Buffer.alloc(8), u16(etherType(ip)), ip]);
export const cooked2: Wrap = (ip) =>
  Buffer.concat([u16(etherType(ip)), u16(0), u32(1), u16(1), Buffer.of(4, 6), Buffer.alloc(8), ip]);
export const nullLittle: Wrap = (ip) => Buffer.concat([Buffer.of(isV6(ip) ? 30 : 2, 0, 0, 0), ip]);
export const nullBig: Wrap = (ip) => Buffer.concat([Buffer.of(0, 0, 0, isV6(ip) ? 24 : 2), ip]);
export const raw: Wrap = (ip) => ip;

/** With the addresses of `like`, where it is given. */
const outer4 = (protocol: number, payload: Buffer, like?: Buffer): Buffer => {
  const header = Buffer.from('45000000000040004000000' + '00a0000010a000002', 'hex');
  if (like) like.copy(header, 12, 12, 20);
  header.writeUInt16BE(20 + payload.length, 2);
  header.writeUInt8(protocol, 9);
  header.writeUInt16BE(internetChecksum(header), 10);
  return Buffer.concat([header, payload]);
};
const outer6 = (protocol: number, payload: Buffer): Buffer => {
  const header = Buffer.alloc(40);
  header.writeUInt8(0x60, 0);
  header.writeUInt16BE(payload.length, 4);
  header.writeUInt8(protocol, 6);
  header.writeUInt8(64, 7);
  header.set([0x20, 1, 0xd, 0xb8], 8);
  header.set([0x20, 1, 0xd, 0xb8, 1], 24);
  return Buffer.concat([header, payload]);
};
const udp = (port: number, payload: Buffer): Buffer =>
  outer4(17, Buffer.concat([u16(50_000), u16(port), u16(8 + payload.length), u16(0), payload]));

export const ipInIp: Wrap = (ip) => ethernet(outer4(isV6(ip) ? 41 : 4, ip));
export const ipInIpv6: Wrap = (ip) => ethernet(outer6(isV6(ip) ? 41 : 4, ip));
export const gre: Wrap = (ip) => ethernet(outer4(47, Buffer.concat([u16(0), u16(etherType(ip)), ip])));
export const greWithAll: Wrap = (ip) => {
  const body = Buffer.concat([u16(0xb000), u16(etherType(ip)), u32(0), u32(77), u32(1), ip]);
  body.writeUInt16BE(internetChecksum(body), 4);
  return ethernet(outer4(47, body));
};
export const nvgre: Wrap = (ip) =>
  ethernet(outer4(47, Buffer.concat([u16(0x2000), u16(0x6558), u32(0x123400), ethernet(ip)])));
export const erspan1: Wrap = (ip) => ethernet(outer4(47, Buffer.concat([u16(0), u16(0x88be), ethernet(ip)])));
export const erspan2: Wrap = (ip) =>
  ethernet(outer4(47, Buffer.concat([u16(0x1000), u16(0x88be), u32(9), u32(0x10010005), u32(0), ethernet(ip)])));
export const erspan3: Wrap = (ip) =>
  ethernet(
    outer4(47, Buffer.concat([u16(0x1000), u16(0x22eb), u32(9), u32(0x20010005), u32(0), u32(0), ethernet(ip)])),
  );
export const vxlan: Wrap = (ip) => ethernet(udp(4789, Buffer.concat([u32(0x08000000), u32(42 << 8), ethernet(ip)])));
export const vxlanGroupPolicy: Wrap = (ip) =>
  ethernet(udp(4789, Buffer.concat([u32(0x88000005), u32(42 << 8), ethernet(ip)])));
const gtpUser = (flags: number, between: Buffer, ip: Buffer): Buffer =>
  ethernet(udp(2152, Buffer.concat([Buffer.of(flags, 255), u16(between.length + ip.length), u32(7), between, ip])));
export const gtp: Wrap = (ip) => gtpUser(0x30, Buffer.alloc(0), ip);
/** A sequence number, and the extension header of a 5G PDU session. */
export const gtpWithAll: Wrap = (ip) => gtpUser(0x36, Buffer.of(0, 1, 0, 0x85, 1, 0x10, 9, 0), ip);
export const geneve: Wrap = (ip) =>
  ethernet(udp(6081, Buffer.concat([u16(0x0100), u16(0x6558), u32(42 << 8), u32(0x01020300), ethernet(ip)])));
/** An authentication header before what an IPv4 packet holds; IPv6 as it is. */
export const authentication4: Wrap = (ip) => {
  if (isV6(ip)) return ethernet(ip);
  const header = Buffer.concat([Buffer.of(ip.readUInt8(9), 4, 0, 0), u32(1), u32(1), Buffer.alloc(12)]);
  return ethernet(outer4(51, Buffer.concat([header, ip.subarray(20)]), ip));
};
/** Hop-by-hop, routing, destination options and an authentication header before TCP; IPv4 as it is. */
export const extensionHeaders: Wrap = (ip) => {
  if (!isV6(ip)) return ethernet(ip);
  const next = ip.readUInt8(6);
  const padding = Buffer.of(1, 4, 0, 0, 0, 0);
  const chain = Buffer.concat([
    Buffer.of(43, 0),
    padding,
    Buffer.of(60, 0, 253, 0),
    Buffer.alloc(4),
    Buffer.of(51, 0),
    padding,
    Buffer.of(next, 4, 0, 0),
    u32(1),
    u32(1),
    Buffer.alloc(12),
  ]);
  const header = Buffer.from(ip.subarray(0, 40));
  header.writeUInt8(0, 6);
  header.writeUInt16BE(chain.length + ip.length - 40, 4);
  return ethernet(Buffer.concat([header, chain, ip.subarray(40)]));
};

/** An IP packet in fragments of at most `size` bytes of payload, a multiple of 8. */
export function fragments(ip: Buffer, size: number, id: number): Buffer[] {
  const headerLength = isV6(ip) ? 40 : 20;
  const payload = ip.subarray(headerLength);
  const pieces: Buffer[] = [];
  for (let at = 0; at < payload.length; at += size) {
    const piece = payload.subarray(at, at + size);
    const more = at + size < payload.length;
    const header = Buffer.from(ip.subarray(0, headerLength));
    if (isV6(ip)) {
      const extension = Buffer.concat([Buffer.of(header.readUInt8(6), 0), u16(at | (more ? 1 : 0)), u32(id)]);
      header.writeUInt8(44, 6);
      header.writeUInt16BE(extension.length + piece.length, 4);
      pieces.push(Buffer.concat([header, extension, piece]));
    } else {
      header.writeUInt16BE(headerLength + piece.length, 2);
      header.writeUInt16BE(id & 0xffff, 4);
      header.writeUInt16BE((at >> 3) | (more ? 0x2000 : 0), 6);
      header.writeUInt16BE(0, 10);
      header.writeUInt16BE(internetChecksum(header), 10);
      pieces.push(Buffer.concat([header, piece]));
    }
  }
  return pieces;
}

/** A packet with right checksums: a capture on loopback has them unfinished, and tshark would say so. */
export function withChecksums(ip: Buffer): Buffer {
  const whole = Buffer.from(ip);
  const at = isV6(whole) ? 40 : 20;
  if (whole.readUInt8(isV6(whole) ? 6 : 9) !== 6) return whole;
  const [source, destination] = isV6(whole)
    ? [whole.subarray(8, 24), whole.subarray(24, 40)]
    : [whole.subarray(12, 16), whole.subarray(16, 20)];
  whole.writeUInt16BE(0, at + 16);
  const segment = whole.subarray(at);
  whole.writeUInt16BE(internetChecksum(pseudoHeader(source, destination, 6, segment.length), segment), at + 16);
  return whole;
}
