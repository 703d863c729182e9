/**
 * Link layers (https://www.tcpdump.org/linktypes.html): where a packet's network layer begins, and what it is.
 * Implemented: Ethernet (DIX and LLC/SNAP), raw IP, Linux cooked v1 and v2, BSD null and loopback.
 */

import { uint16be } from '../wire-numbers.js';

/** A position in a packet, moved inwards layer by layer. One is made for a whole file. */
export interface LayerCursor {
  buffer: Buffer;
  /** Where the next layer begins. */
  offset: number;
  /** Where the captured bytes end. */
  end: number;
  /** EtherType of the next layer. */
  etherType: number;
}

/** Moves the cursor past the link layer of `linkType`; false where it is cut off or not known. */
export function enterLinkLayer(cursor: LayerCursor, linkType: number): boolean {
  switch (linkType) {
    case LINK.ethernet:
      return enterEthernet(cursor);
    case LINK.rawBsd:
    case LINK.rawOpenBsd:
    case LINK.raw:
      return enterByNibble(cursor);
    case LINK.ipv4:
      cursor.etherType = ETHER_TYPE.ipv4;
      return true;
    case LINK.ipv6:
      cursor.etherType = ETHER_TYPE.ipv6;
      return true;
    case LINK.linuxCooked:
      return enterAt(cursor, 14, 16);
    case LINK.linuxCooked2:
      return enterAt(cursor, 0, 20);
    case LINK.null:
    case LINK.loop:
      return enterAddressFamily(cursor);
    default:
      return false;
  }
}

/** True where enterLinkLayer() can do anything with packets of this type. */
export function isKnownLinkType(linkType: number): boolean {
  return KNOWN.has(linkType);
}

/** Also the payload of tunnels that carry Ethernet. */
export function enterEthernet(cursor: LayerCursor): boolean {
  if (!enterAt(cursor, 12, 14)) return false;
  if (cursor.etherType > MAX_802_3_LENGTH) return true;
  // 802.3 with a length: only LLC/SNAP with the zero organisation carries an EtherType.
  const { buffer, offset } = cursor;
  if (cursor.end - offset < 8 || buffer.readUIntBE(offset, 6) !== SNAP_ETHERTYPE) return false;
  return enterAt(cursor, 6, 8);
}

/** No header: the IP version says which protocol this is. */
export function enterByNibble(cursor: LayerCursor): boolean {
  if (cursor.offset >= cursor.end) return false;
  const version = cursor.buffer.readUInt8(cursor.offset) >> 4;
  if (version !== 4 && version !== 6) return false;
  cursor.etherType = version === 4 ? ETHER_TYPE.ipv4 : ETHER_TYPE.ipv6;
  return true;
}

/** A header of `length` bytes with its EtherType at `typeAt`. */
function enterAt(cursor: LayerCursor, typeAt: number, length: number): boolean {
  if (cursor.end - cursor.offset < length) return false;
  cursor.etherType = uint16be(cursor.buffer, cursor.offset + typeAt);
  cursor.offset += length;
  return true;
}

/** BSD null (the writer's byte order) and loopback (network order): a 4-byte address family. */
function enterAddressFamily(cursor: LayerCursor): boolean {
  if (cursor.end - cursor.offset < 4) return false;
  const { buffer, offset } = cursor;
  const family = Math.min(buffer.readUInt32LE(offset), buffer.readUInt32BE(offset));
  if (family === AF_INET) cursor.etherType = ETHER_TYPE.ipv4;
  else if (AF_INET6.has(family)) cursor.etherType = ETHER_TYPE.ipv6;
  else return false;
  cursor.offset += 4;
  return true;
}

export const LINK = {
  null: 0,
  ethernet: 1,
  rawBsd: 12,
  rawOpenBsd: 14,
  raw: 101,
  loop: 108,
  linuxCooked: 113,
  ipv4: 228,
  ipv6: 229,
  linuxCooked2: 276,
} as const;

export const ETHER_TYPE = {
  ipv4: 0x0800,
  transparentEthernet: 0x6558,
  vlan: 0x8100,
  ipv6: 0x86dd,
  mpls: 0x8847,
  mplsMulticast: 0x8848,
  pppoeSession: 0x8864,
  serviceVlan: 0x88a8,
  erspan: 0x88be,
  erspan3: 0x22eb,
  vlan9100: 0x9100,
  vlan9200: 0x9200,
} as const;

const KNOWN = new Set<number>(Object.values(LINK));
const MAX_802_3_LENGTH = 1500;
const SNAP_ETHERTYPE = 0xaaaa03000000;
const AF_INET = 2;
/** Linux, NetBSD and OpenBSD, FreeBSD, macOS. */
const AF_INET6 = new Set([10, 24, 28, 30]);
