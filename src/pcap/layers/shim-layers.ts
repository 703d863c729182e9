/**
 * What stands between a link layer and IP, or between IP and the packet it carries: VLAN tags (802.1Q, 802.1ad),
 * MPLS (RFC 3032), PPPoE sessions (RFC 2516), GRE (RFC 2784, 2890), NVGRE, ERSPAN I to III
 * (draft-foschiano-erspan), VXLAN (RFC 7348) also with group policy, Geneve (RFC 8926), and GTP-U (3GPP TS 29.281).
 */
import { enterByNibble, enterEthernet, ETHER_TYPE, type LayerCursor } from './link-layer.js';

/** Moves past one tag or shim; false where it is cut off, or where `etherType` is none. */
export function enterShim(cursor: LayerCursor): boolean {
  switch (cursor.etherType) {
    case ETHER_TYPE.vlan:
    case ETHER_TYPE.serviceVlan:
    case ETHER_TYPE.vlan9100:
    case ETHER_TYPE.vlan9200:
      return enterTyped(cursor, 2, 4);
    case ETHER_TYPE.mpls:
    case ETHER_TYPE.mplsMulticast:
      return enterMpls(cursor);
    case ETHER_TYPE.pppoeSession:
      return enterPppoe(cursor);
    case ETHER_TYPE.transparentEthernet:
      return enterEthernet(cursor);
    case ETHER_TYPE.erspan3:
      return enterErspan3(cursor);
    default:
      return false;
  }
}

/** The id of the virtual network a tunnel's packets belong to, or -1 where the tunnel is not understood. */
export type Scope = number;

/** Moves past a GRE header, and past ERSPAN I and II, which only the GRE header tells apart. */
export function enterGre(cursor: LayerCursor): Scope {
  if (cursor.end - cursor.offset < 4) return -1;
  const flags = cursor.buffer.readUInt16BE(cursor.offset);
  // Version 1 is PPTP's; source routes (RFC 1701) are long gone.
  if (flags & (GRE_VERSION | GRE_ROUTING)) return -1;
  const keyAt = cursor.offset + (flags & GRE_CHECKSUM ? 8 : 4);
  const length = keyAt - cursor.offset + (flags & GRE_KEY ? 4 : 0) + (flags & GRE_SEQUENCE ? 4 : 0);
  if (!enterTyped(cursor, 2, length)) return -1;
  if (cursor.etherType === ETHER_TYPE.erspan) {
    if (flags & GRE_SEQUENCE) cursor.offset += ERSPAN2_LENGTH;
    cursor.etherType = ETHER_TYPE.transparentEthernet;
  }
  return flags & GRE_KEY ? cursor.buffer.readUInt32BE(keyAt) : 0;
}

/** Moves past a tunnel header that follows a UDP header to `port`; -1 where there is none. */
export function enterUdpTunnel(cursor: LayerCursor, port: number): Scope {
  if (cursor.end - cursor.offset < 8) return -1;
  const { buffer, offset } = cursor;
  if (port === VXLAN_PORT || port === VXLAN_LINUX_PORT) {
    // The I flag, with or without the G of group policy, whose other fields stand where RFC 7348 has reserved ones.
    if ((buffer.readUInt8(offset) & ~VXLAN_GROUP_POLICY) !== VXLAN_VNI_VALID) return -1;
    cursor.offset += 8;
    cursor.etherType = ETHER_TYPE.transparentEthernet;
    return buffer.readUIntBE(offset + 4, 3);
  }
  if (port === GENEVE_PORT) {
    const first = buffer.readUInt8(offset);
    if (first >> 6 !== 0 || !enterTyped(cursor, 2, 8 + (first & 0x3f) * 4)) return -1;
    return buffer.readUIntBE(offset + 4, 3);
  }
  // The two directions of a GTP-U tunnel have an id each, so it can not be the scope of a connection.
  if (port === GTP_USER_PORT) return enterGtpUser(cursor) ? 0 : -1;
  return -1;
}

/** TS 29.281, section 5: a G-PDU of version 1, whose payload is an IP packet. */
function enterGtpUser(cursor: LayerCursor): boolean {
  const { buffer, offset } = cursor;
  const flags = buffer.readUInt8(offset);
  if ((flags & GTP_VERSION_AND_TYPE) !== GTP_VERSION_1 || buffer.readUInt8(offset + 1) !== GTP_G_PDU) return false;
  let at = offset + 8;
  if (flags & GTP_OPTIONAL_FIELDS) {
    at += 4;
    if (at > cursor.end) return false;
    let next = flags & GTP_EXTENSION ? buffer.readUInt8(at - 1) : 0;
    while (next !== 0) {
      if (at >= cursor.end) return false;
      const length = buffer.readUInt8(at) * 4;
      if (length === 0 || at + length > cursor.end) return false;
      at += length;
      next = buffer.readUInt8(at - 1);
    }
  }
  cursor.offset = at;
  if (enterByNibble(cursor)) return true;
  cursor.offset = offset;
  return false;
}

/** A header of `length` bytes with its EtherType at `typeAt`. */
function enterTyped(cursor: LayerCursor, typeAt: number, length: number): boolean {
  if (cursor.end - cursor.offset < length) return false;
  cursor.etherType = cursor.buffer.readUInt16BE(cursor.offset + typeAt);
  cursor.offset += length;
  return true;
}

function enterMpls(cursor: LayerCursor): boolean {
  for (let labels = 0; labels < MAX_LABELS; labels++) {
    if (cursor.end - cursor.offset < 4) return false;
    const bottom = cursor.buffer.readUInt8(cursor.offset + 2) & 1;
    cursor.offset += 4;
    // The label stack does not say what it carries: its first nibble does, by convention.
    if (bottom) return enterByNibble(cursor);
  }
  return false;
}

function enterPppoe(cursor: LayerCursor): boolean {
  if (!enterTyped(cursor, 6, 8)) return false;
  if (cursor.etherType === PPP_IPV4) cursor.etherType = ETHER_TYPE.ipv4;
  else if (cursor.etherType === PPP_IPV6) cursor.etherType = ETHER_TYPE.ipv6;
  else return false;
  return true;
}

function enterErspan3(cursor: LayerCursor): boolean {
  if (cursor.end - cursor.offset < ERSPAN3_LENGTH) return false;
  const flags = cursor.buffer.readUInt16BE(cursor.offset + 10);
  // FT, the frame type: 0 Ethernet, 2 IP.
  const frameType = (flags >> 10) & 0x1f;
  cursor.offset += ERSPAN3_LENGTH + (flags & 1 ? ERSPAN3_SUBHEADER : 0);
  if (frameType === 2) return enterByNibble(cursor);
  cursor.etherType = ETHER_TYPE.transparentEthernet;
  return frameType === 0;
}

const GRE_CHECKSUM = 0x8000;
const GRE_ROUTING = 0x4000;
const GRE_KEY = 0x2000;
const GRE_SEQUENCE = 0x1000;
const GRE_VERSION = 0x0007;
const ERSPAN2_LENGTH = 8;
const ERSPAN3_LENGTH = 12;
const ERSPAN3_SUBHEADER = 8;
const VXLAN_PORT = 4789;
/** What Linux used before the port was assigned, and still defaults to. */
const VXLAN_LINUX_PORT = 8472;
const VXLAN_VNI_VALID = 0x08;
const VXLAN_GROUP_POLICY = 0x80;
const GTP_USER_PORT = 2152;
const GTP_VERSION_AND_TYPE = 0xf0;
const GTP_VERSION_1 = 0x30;
const GTP_OPTIONAL_FIELDS = 0x07;
const GTP_EXTENSION = 0x04;
const GTP_G_PDU = 0xff;
const GENEVE_PORT = 6081;
const MAX_LABELS = 16;
const PPP_IPV4 = 0x0021;
const PPP_IPV6 = 0x0057;
