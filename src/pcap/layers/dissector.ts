/**
 * From a captured packet to its innermost TCP segment or UDP datagram, through tags, tunnels and fragments.
 * IPv4 (RFC 791), IPv6 with extension headers (RFC 8200), IP in IP (RFC 2003), 6in4 (RFC 4213), TCP (RFC 9293), UDP.
 */
import { CapturedPacket } from '../file/captured-packet.js';
import { uint16be, uint32be } from '../wire-numbers.js';
import { FragmentTable } from './fragments.js';
import { enterLinkLayer, ETHER_TYPE, isKnownLinkType, type LayerCursor } from './link-layer.js';
import { enterGre, enterShim, enterUdpTunnel } from './shim-layers.js';

export const PROTOCOL = { none: -1, tcp: 6, udp: 17 } as const;

/**
 * The one dissector of a file, and its last result: fields are rewritten by every dissect(), no objects are made.
 * Offsets are into `buffer`, which is the packet's own or that of a reassembled one.
 */
export class Dissector implements LayerCursor {
  buffer: Buffer = Buffer.alloc(0);
  /** The payload is buffer[offset, end), as far as it was captured. */
  offset = 0;
  end = 0;
  etherType = 0;
  /** 4 or 6. */
  family: 4 | 6 = 4;
  /** Where the innermost IP header's addresses stand. */
  source = 0;
  destination = 0;
  sourcePort = 0;
  destinationPort = 0;
  /** VXLAN or Geneve network, or GRE key: the same addresses in two of them are two hosts. */
  scope = 0;
  /** Whether more of the payload was sent than the capture's snap length left. */
  isCut = false;
  /** TCP only. */
  sequence = 0;
  tcpFlags = 0;

  /** Packets of link types that are not understood, by LINKTYPE_ value. */
  readonly unknownLinkTypes = new Map<number, number>();
  /** Packets with more layers of encapsulation than MAX_LAYERS. */
  tooDeep = 0;
  /** Packets that the snap length cut off before their payload, and fragments that it cut off at all. */
  cutShort = 0;
  readonly fragments = new FragmentTable();
  /** End of the innermost IP packet as its header states it, beyond `end` where the capture is cut. */
  private statedEnd = 0;
  private packet: CapturedPacket = new CapturedPacket();

  /** Returns PROTOCOL.tcp or PROTOCOL.udp, or PROTOCOL.none where the packet holds neither (yet). */
  dissect(packet: CapturedPacket): number {
    this.packet = packet;
    this.buffer = packet.buffer;
    this.offset = packet.start;
    this.end = packet.end;
    this.scope = 0;
    if (!enterLinkLayer(this, packet.linkType)) {
      if (!isKnownLinkType(packet.linkType)) this.noteLinkType(packet.linkType);
      return PROTOCOL.none;
    }
    for (let layers = 0; layers < MAX_LAYERS; layers++) {
      const isIp = this.etherType === ETHER_TYPE.ipv4 || this.etherType === ETHER_TYPE.ipv6;
      if (!isIp) {
        if (!enterShim(this)) return PROTOCOL.none;
        continue;
      }
      const protocol = this.etherType === ETHER_TYPE.ipv4 ? this.enterIpv4() : this.enterIpv6();
      if (protocol === TCP) return this.enterTcp();
      if (protocol === UDP) {
        if (!this.enterUdp()) return PROTOCOL.none;
        if (!this.enterTunnelOverUdp()) return PROTOCOL.udp;
      } else if (!this.enterTunnelOverIp(protocol)) {
        return PROTOCOL.none;
      }
    }
    this.tooDeep++;
    return PROTOCOL.none;
  }

  private noteLinkType(linkType: number): void {
    const count = this.unknownLinkTypes.get(linkType);
    if (count === undefined && this.unknownLinkTypes.size >= MAX_NOTED_LINK_TYPES) return;
    this.unknownLinkTypes.set(linkType, (count ?? 0) + 1);
  }

  /** Moves past the header; returns the protocol of what follows, or -1. */
  private enterIpv4(): number {
    const { buffer, offset } = this;
    if (this.end - offset < 20) return NOTHING;
    const first = buffer[offset] ?? 0;
    const headerLength = (first & 0x0f) * 4;
    if (first >> 4 !== 4 || headerLength < 20 || this.end - offset < headerLength) return NOTHING;
    const totalLength = uint16be(buffer, offset + 2);
    // Zero: captured before segmentation offload filled it in.
    if (!this.enterPayload(offset + headerLength, totalLength === 0 ? this.end : offset + totalLength)) return NOTHING;
    this.family = 4;
    this.source = offset + 12;
    this.destination = offset + 16;
    const protocol = buffer[offset + 9] ?? 0;
    const fragment = uint16be(buffer, offset + 6);
    if ((fragment & 0x3fff) === 0) return this.pastAuthentication(protocol);
    const key =
      `4/${this.scope}/${protocol}/` +
      buffer.toString('latin1', offset + 4, offset + 6) +
      buffer.toString('latin1', offset + 12, offset + 20);
    return this.addFragment(
      key,
      buffer.subarray(offset, offset + 20),
      (fragment & 0x1fff) * 8,
      (fragment & 0x2000) !== 0,
    )
      ? this.pastAuthentication(protocol)
      : NOTHING;
  }

  /** What follows an authentication header (RFC 4302), where there is one. */
  private pastAuthentication(protocol: number): number {
    if (protocol !== AUTHENTICATION) return protocol;
    if (this.end - this.offset < 8) return NOTHING;
    const at = this.offset;
    this.offset += authenticationLength(this.buffer, at);
    return this.buffer[at] ?? 0;
  }

  private enterIpv6(): number {
    const { buffer, offset } = this;
    if (this.end - offset < 40 || (buffer[offset] ?? 0) >> 4 !== 6) return NOTHING;
    const length = uint16be(buffer, offset + 4);
    // Zero: a jumbogram, or captured before segmentation offload.
    if (!this.enterPayload(offset + 40, length === 0 ? this.end : offset + 40 + length)) return NOTHING;
    this.family = 6;
    this.source = offset + 8;
    this.destination = offset + 24;
    let next = buffer[offset + 6] ?? 0;
    for (let headers = 0; headers < MAX_EXTENSION_HEADERS; headers++) {
      if (!EXTENSION_HEADERS.has(next)) return next;
      if (this.end - this.offset < 8) return NOTHING;
      const at = this.offset;
      const following = this.buffer[at] ?? 0;
      if (next === FRAGMENT) {
        const field = uint16be(this.buffer, at + 2);
        this.offset += 8;
        if ((field & 0xfff9) !== 0) {
          const key =
            `6/${this.scope}/` +
            buffer.toString('latin1', at + 4, at + 8) +
            buffer.toString('latin1', offset + 8, offset + 40);
          const whole = this.addFragment(key, buffer.subarray(offset, offset + 40), field & 0xfff8, (field & 1) !== 0);
          if (!whole) return NOTHING;
        }
      } else {
        this.offset +=
          next === AUTHENTICATION ? authenticationLength(this.buffer, at) : ((this.buffer[at + 1] ?? 0) + 1) * 8;
      }
      next = following;
    }
    return NOTHING;
  }

  /** Narrows the cursor to an IP payload: link-layer padding goes, a cut packet is remembered as longer. */
  private enterPayload(start: number, statedEnd: number): boolean {
    if (statedEnd < start) return false;
    this.offset = start;
    this.statedEnd = statedEnd;
    if (statedEnd < this.end) this.end = statedEnd;
    return this.offset <= this.end;
  }

  /** Adds buffer[offset, end) to its packet; true where that is whole now, and the cursor at its payload. */
  private addFragment(key: string, header: Buffer, position: number, more: boolean): boolean {
    // A fragment the capture cut short can never make a whole packet.
    if (this.statedEnd !== this.end) {
      this.cutShort++;
      return false;
    }
    const seconds = Number(this.packet.timeNs() / 1_000_000_000n);
    const bytes = this.buffer.subarray(this.offset, this.end);
    const whole = this.fragments.add(key, seconds, header, position, bytes, more);
    if (!whole) return false;
    this.buffer = whole;
    this.offset = header.length;
    this.end = this.statedEnd = whole.length;
    this.source = this.family === 4 ? 12 : 8;
    this.destination = this.family === 4 ? 16 : 24;
    return true;
  }

  private enterTcp(): number {
    const { buffer, offset } = this;
    if (!this.hasHeader(20)) return PROTOCOL.none;
    const headerLength = ((buffer[offset + 12] ?? 0) >> 4) * 4;
    if (headerLength < 20) return PROTOCOL.none;
    this.sourcePort = uint16be(buffer, offset);
    this.destinationPort = uint16be(buffer, offset + 2);
    this.sequence = uint32be(buffer, offset + 4);
    this.tcpFlags = buffer[offset + 13] ?? 0;
    this.isCut = this.statedEnd > Math.max(this.end, offset + headerLength);
    this.offset = Math.min(offset + headerLength, this.end);
    return PROTOCOL.tcp;
  }

  /** Whether the bytes of a transport header are there; where the snap length took them, that is counted. */
  private hasHeader(length: number): boolean {
    if (this.end - this.offset >= length) return true;
    if (this.statedEnd > this.end) this.cutShort++;
    return false;
  }

  private enterUdp(): boolean {
    const { buffer, offset } = this;
    if (!this.hasHeader(8)) return false;
    this.sourcePort = uint16be(buffer, offset);
    this.destinationPort = uint16be(buffer, offset + 2);
    const length = uint16be(buffer, offset + 4);
    if (!this.enterPayload(offset + 8, length === 0 ? this.statedEnd : Math.min(offset + length, this.statedEnd)))
      return false;
    this.isCut = this.statedEnd > this.end;
    return true;
  }

  private enterTunnelOverUdp(): boolean {
    const scope = enterUdpTunnel(this, this.destinationPort);
    if (scope < 0) return false;
    this.scope = scope;
    return true;
  }

  private enterTunnelOverIp(protocol: number): boolean {
    if (protocol === IPV4_IN_IP || protocol === IPV6_IN_IP) {
      this.etherType = protocol === IPV4_IN_IP ? ETHER_TYPE.ipv4 : ETHER_TYPE.ipv6;
      return true;
    }
    if (protocol !== GRE) return false;
    const scope = enterGre(this);
    if (scope < 0) return false;
    this.scope = scope;
    return true;
  }
}

function authenticationLength(buffer: Buffer, at: number): number {
  return (buffer.readUInt8(at + 1) + 2) * 4;
}

const NOTHING = -1;
const TCP = 6;
const UDP = 17;
const IPV4_IN_IP = 4;
const IPV6_IN_IP = 41;
const GRE = 47;
const FRAGMENT = 44;
const AUTHENTICATION = 51;
/** Hop-by-hop, routing, fragment, authentication, destination options, mobility, HIP, Shim6. */
const EXTENSION_HEADERS = new Set([0, 43, FRAGMENT, AUTHENTICATION, 60, 135, 139, 140]);
const MAX_EXTENSION_HEADERS = 16;
/** Ethernet, two VLAN tags, IP, UDP, VXLAN, Ethernet, ... : real stacks have fewer than ten. */
const MAX_LAYERS = 24;
const MAX_NOTED_LINK_TYPES = 64;
