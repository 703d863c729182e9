import type { Direction } from '../../tls/conversation.js';
import { canStartDtlsRecord, DTLS_RECORD_HEADER_LENGTH, holdsDtlsHello } from '../../tls/dtls.js';
import { DTLS_HANDSHAKE_HEADER_LENGTH, HandshakeType } from '../../tls/handshake.js';
import { ContentType, RECORD_HEADER_LENGTH, startsHello } from '../../tls/record.js';
import type { CapturedPacket, PacketSink } from '../file/captured-packet.js';
import type { CapturedHello, HelloSink } from '../hello/captured-hello.js';
import { Dissector, PROTOCOL } from '../layers/dissector.js';
import { QuicFlow } from '../quic/quic-flow.js';
import { resemblesQuic } from '../quic/long-header.js';
import { DtlsFlow } from './dtls-flow.js';
import type { FlowEnd } from './flow-end.js';
import { FlowTable } from './flow-table.js';
import { HeldBudget } from './held-budget.js';
import { Opening, wholeHello, wholeHelloEnd } from './opening.js';
import { TcpFlow } from './tcp-flow.js';

/** Where a hello was sent from and to. */
export interface HelloEnds {
  readonly from: FlowEnd;
  readonly to: FlowEnd;
}

/** Takes every hello of a capture, in the order in which they become whole. */
export type ExtractedHelloSink = (hello: CapturedHello, ends: HelloEnds) => void;

export interface ExtractorOptions {
  /** Connections followed at the same time, a power of two. */
  readonly maxFlows?: number;
  /** Bytes of unfinished hellos and beyond holes, over all connections. */
  readonly maxHeldBytes?: number;
  /** Makes the flow table's hash unpredictable to the author of a capture. */
  readonly seed?: number;
}

/** From packets to hellos: follows every TCP connection, QUIC connection and DTLS association, in bounded memory. */
export class HelloExtractor implements PacketSink {
  /** TCP segments and UDP datagrams seen. */
  transportPackets = 0;
  readonly dissector = new Dissector();
  private readonly sink: ExtractedHelloSink;
  private readonly table: FlowTable<Flow>;
  private readonly held: HeldBudget;
  /** For each slot: of which ends the first sequence number is known or a ClientHello was seen, and whether the flow is over and done with. */
  private readonly flags: Uint8Array;
  /** Sequence number of the first byte, for the lower end at twice the slot and for the other behind it. */
  private readonly bases: Uint32Array;
  /** For each slot the sequence number of the first ClientHello. */
  private readonly clientHellos: Uint32Array;
  /** Slots up to this one are ended for good. */
  private ended = 0;
  private payloadsCut = 0;
  private givenUp = 0;
  private unopened = 0;
  private readonly emit: HelloSink = (hello, slot, fromLow) => {
    const ends = this.table.ends(slot);
    this.sink(hello, fromLow ? { from: ends.low, to: ends.high } : { from: ends.high, to: ends.low });
  };

  constructor(sink: ExtractedHelloSink, options: ExtractorOptions = {}) {
    const { maxFlows = 1 << 17, maxHeldBytes = 64 << 20, seed = 0 } = options;
    this.sink = sink;
    this.table = new FlowTable(maxFlows, (slot) => this.giveUp(slot), seed);
    this.held = new HeldBudget(maxHeldBytes, (slot) => this.giveUp(slot));
    this.flags = new Uint8Array(maxFlows + 1);
    this.bases = new Uint32Array(2 * (maxFlows + 1));
    this.clientHellos = new Uint32Array(maxFlows + 1);
  }

  /** Connections given up for want of room with a hello begun, or with what opens one. */
  get flowsGivenUp(): number {
    return this.givenUp;
  }

  /** Pairs of ports between which no more QUIC packets were tried, after so many that no key opened. */
  get flowsUnopened(): number {
    return this.unopened;
  }

  /** Packets of which the capture's snap length left too little to say that no hello was in what it took. */
  get packetsCut(): number {
    return this.payloadsCut + this.dissector.cutShort;
  }

  packet(packet: CapturedPacket): void {
    const protocol = this.dissector.dissect(packet);
    if (protocol === PROTOCOL.none) return;
    this.transportPackets++;
    if (protocol === PROTOCOL.tcp) this.tcp(packet);
    else this.udp(packet);
  }

  /** The capture is over: hellos that were not finished come out as they are, of some flows at each call. False after the last. */
  endSome(): boolean {
    const last = Math.min(this.ended + FLOWS_A_STEP, this.table.size);
    while (this.ended < last) this.finish(++this.ended);
    return last < this.table.size;
  }

  /** The same at once. */
  end(): void {
    while (this.endSome());
  }

  private tcp(packet: CapturedPacket): void {
    const { dissector, table } = this;
    const { tcpFlags, sequence, offset, end, isCut } = dissector;
    const isSyn = (tcpFlags & SYN) !== 0;
    // Bare acknowledgements say nothing about hellos, and are every other packet. Nor do FIN and RST: anyone can have
    // sent them, and what follows them is looked at all the same.
    if (!isSyn && offset === end && !isCut) return;
    const found = table.find(dissector, PROTOCOL.tcp) || this.add(PROTOCOL.tcp);
    const slot = Math.abs(found);
    const direction: Direction = found > 0 ? 0 : 1;
    if (isSyn) this.syn(slot, direction, (tcpFlags & ACK) !== 0, (sequence + 1) >>> 0);
    const first = (isSyn ? sequence + 1 : sequence) >>> 0;
    if (this.startsClientHello()) this.clientHello(slot, direction, first);
    if (this.isDone(slot)) return;
    if (isCut) this.payloadsCut++;
    if (offset < end) this.tcpData(packet, slot, direction, first);
  }

  /** Notes where a direction starts; a SYN with another number than before starts another connection. */
  private syn(slot: number, direction: Direction, isAnswer: boolean, base: number): void {
    const known = direction === 0 ? LOW_KNOWN : HIGH_KNOWN;
    const at = slot * 2 + direction;
    if ((this.flags[slot] ?? 0) & known && this.bases[at] === base) return;
    const flow = this.table.state(slot);
    if (this.isOfAnother(flow, this.flags[slot] ?? 0, direction, isAnswer, base)) this.restart(slot);
    else if (flow instanceof TcpFlow && !flow.rebase(direction, base)) return;
    this.bases[at] = base;
    this.flags[slot] = (this.flags[slot] ?? 0) | known;
  }

  /** Whether a SYN, or the answer to one, does not belong to what is in its slot. A SYN may come late, behind the data. */
  private isOfAnother(
    flow: Flow | undefined,
    flags: number,
    direction: Direction,
    isAnswer: boolean,
    base: number,
  ): boolean {
    if (flow instanceof TcpFlow) return flow.firstOf(direction) !== base && (!isAnswer || flow.hasData(direction));
    if (isAnswer) return (flags & DONE) !== 0 || (flow instanceof Opening && flow.direction === direction);
    return flags !== 0;
  }

  /** A ClientHello far from the one before it is that of another connection, whose SYN was not captured. */
  private clientHello(slot: number, direction: Direction, sequence: number): void {
    const flags = this.flags[slot] ?? 0;
    const seen = direction === 0 ? LOW_HELLO : HIGH_HELLO;
    if (flags & (LOW_HELLO | HIGH_HELLO)) {
      const distance = (sequence - (this.clientHellos[slot] ?? 0)) | 0;
      if (!(flags & seen) || Math.abs(distance) <= MAX_BETWEEN_HELLOS) return;
      this.restart(slot);
    }
    this.clientHellos[slot] = sequence;
    this.flags[slot] = (this.flags[slot] ?? 0) | seen;
  }

  private startsClientHello(): boolean {
    const { buffer, offset, end } = this.dissector;
    if (buffer[offset] !== ContentType.handshake || buffer[offset + RECORD_HEADER_LENGTH] !== HandshakeType.clientHello)
      return false;
    return startsHello(buffer.subarray(offset, end), 0, true) === 'yes';
  }

  /** What is in a slot is over, and the same ends begin something new. */
  private restart(slot: number): void {
    this.finish(slot);
    this.flags[slot] = 0;
    this.table.revive(slot);
  }

  private tcpData(packet: CapturedPacket, slot: number, direction: Direction, sequence: number): void {
    const { buffer, offset, end } = this.dissector;
    const state = this.table.state(slot);
    if (!(state instanceof TcpFlow) && this.shortWay(packet, slot, direction, sequence, state)) return;
    const flow = state instanceof TcpFlow ? state : this.startTcpFlow(slot, state instanceof Opening ? state : null);
    flow.push(direction, sequence, buffer.subarray(offset, end), packet);
    this.settle(slot, flow);
  }

  /** Takes a segment that starts its direction and holds a whole hello; false where it is anything else. */
  private shortWay(
    packet: CapturedPacket,
    slot: number,
    direction: Direction,
    sequence: number,
    state: Flow | undefined,
  ): boolean {
    const known = direction === 0 ? LOW_KNOWN : HIGH_KNOWN;
    if (((this.flags[slot] ?? 0) & known) === 0 || this.bases[slot * 2 + direction] !== sequence) return false;
    const { buffer, offset, end } = this.dissector;
    const isAnswer = state instanceof Opening;
    if (isAnswer ? state.direction === direction : state !== undefined) return false;
    const kind = isAnswer ? 'server' : 'client';
    const helloEnd = wholeHelloEnd(buffer, offset, end, kind);
    if (helloEnd === 0) return false;
    this.emit(wholeHello(buffer, offset, helloEnd, kind, packet.timeNs()), slot, direction === 0);
    if (isAnswer) this.finish(slot);
    else {
      const opening = new Opening(direction, sequence, Buffer.from(buffer.subarray(offset, end)), packet);
      this.table.setState(slot, opening);
      this.held.set(slot, opening.bytes.length);
    }
    return true;
  }

  private startTcpFlow(slot: number, opening: Opening | null): TcpFlow {
    const flags = this.flags[slot] ?? 0;
    const low = flags & LOW_KNOWN ? (this.bases[slot * 2] ?? 0) : null;
    const high = flags & HIGH_KNOWN ? (this.bases[slot * 2 + 1] ?? 0) : null;
    const flow = new TcpFlow([low, high], (hello, from) => this.emit(hello, slot, from === 0));
    this.table.setState(slot, flow);
    if (opening) flow.replay(opening.direction, opening.sequence, opening.bytes, opening);
    return flow;
  }

  private udp(packet: CapturedPacket): void {
    const { dissector, table } = this;
    const { buffer, offset, end, isCut } = dissector;
    const isQuic = resemblesQuic(buffer, offset, end);
    if (!isQuic && !this.resemblesDtls(buffer, offset, end)) {
      if (isCut && isTooShortToTell(buffer, offset, end)) this.payloadsCut++;
      return;
    }
    const found = table.find(dissector, PROTOCOL.udp) || this.add(PROTOCOL.udp);
    const slot = Math.abs(found);
    if (this.isDone(slot)) return;
    if (isCut) this.payloadsCut++;
    let flow = table.state(slot);
    if (flow === undefined) {
      const sink = (hello: CapturedHello, fromLow: boolean) => this.emit(hello, slot, fromLow);
      flow = isQuic ? new QuicFlow(sink) : new DtlsFlow(sink);
      table.setState(slot, flow);
    }
    if (flow instanceof TcpFlow || flow instanceof Opening) return;
    flow.datagram(found > 0, buffer, offset, end, () => packet.timeNs());
    this.settle(slot, flow);
    // Another connection may come between the same ports; until then this one is the first to make room.
    if (!flow.done) {
      if (flow.idle) table.retire(slot);
      else table.revive(slot);
    }
  }

  private resemblesDtls(buffer: Buffer, offset: number, end: number): boolean {
    // No object is made for the many datagrams that do not even start with a record.
    return (
      end - offset >= DTLS_MIN && canStartDtlsRecord(buffer, offset) && holdsDtlsHello(buffer.subarray(offset, end))
    );
  }

  /** After a flow took something: drops it when it is done, else accounts for what it keeps. */
  private settle(slot: number, flow: Exclude<Flow, Opening>): void {
    if (flow instanceof QuicFlow && flow.done) this.unopened++;
    if (flow.done) this.finish(slot);
    else this.held.set(slot, flow.heldBytes);
  }

  private add(protocol: number): number {
    const found = this.table.addMissing(this.dissector, protocol);
    this.flags[Math.abs(found)] = 0;
    return found;
  }

  private isDone(slot: number): boolean {
    return ((this.flags[slot] ?? 0) & DONE) !== 0;
  }

  /** Makes room. What was begun is lost with it; anything else is found all the same if it goes on. */
  private giveUp(slot: number): void {
    const flow = this.table.state(slot);
    if (flow !== undefined && !(flow instanceof Opening) && flow.unfinished) this.givenUp++;
    this.finish(slot);
  }

  /** Ends what is in a slot, and lets later packets of the same flow pass by. */
  private finish(slot: number): void {
    const flow = this.table.state(slot);
    this.flags[slot] = (this.flags[slot] ?? 0) | DONE;
    this.table.retire(slot);
    this.held.set(slot, 0);
    if (flow === undefined) return;
    this.table.setState(slot, undefined);
    if (!(flow instanceof Opening)) flow.end();
  }
}

type Flow = Opening | TcpFlow | QuicFlow | DtlsFlow;

/** Whether a datagram was cut before what would show that it has a hello. */
function isTooShortToTell(buffer: Buffer, offset: number, end: number): boolean {
  const first = buffer[offset] ?? 0;
  if (offset === end) return true;
  return first >= QUIC_LONG ? end - offset < QUIC_MIN : first === ContentType.handshake && end - offset < DTLS_MIN;
}

const FLOWS_A_STEP = 1024;
const LOW_KNOWN = 1;
const HIGH_KNOWN = 2;
const DONE = 4;
const LOW_HELLO = 8;
const HIGH_HELLO = 16;
/** From the first ClientHello of a connection to the second, after a HelloRetryRequest; far less than what a new connection may begin at. */
const MAX_BETWEEN_HELLOS = 256 * 1024;

/** Headers of a record and of a handshake message, and a byte of the message. */
const DTLS_MIN = DTLS_RECORD_HEADER_LENGTH + DTLS_HANDSHAKE_HEADER_LENGTH + 1;
/** The first byte of a long header at least, and what resemblesQuic() looks at. */
const QUIC_LONG = 0x80;
const QUIC_MIN = 8;

const SYN = 0x02;
const ACK = 0x10;
