import { createHash } from 'node:crypto';
import { oldestKeys } from '../../oldest.js';
import type { Handshake } from '../../snapshot/schema/handshake.js';
import { printable } from '../../terminal.js';
import { DTLS_HANDSHAKE_HEADER_LENGTH } from '../../tls/handshake.js';
import { addressPair, type Endpoints, tcpPacket, udpPacket } from './ip-packet.js';
import { packetBlock, pcapngHeader } from './pcapng-blocks.js';
import { QuicInitials } from './quic-initial.js';
import { parseTimeNs } from '../../snapshot/time-text.js';

/**
 * A snapshot's hellos as a pcapng file. The hellos are as they were on the wire; the packets around them are made anew:
 * one connection without its handshake of three, QUIC in version 1. Who a hello belongs to is its packet's comment.
 */
export class HelloPcapng {
  /** Rows that could not be written: an address that is none. */
  skipped = 0;
  /** By ends of the flow; bounded, oldest first. */
  private readonly flows = new Map<string, Flow>();

  /** The start of the file. */
  header(application: string): Buffer {
    return pcapngHeader(application);
  }

  /** The blocks for one hello; rows come in the order of the timeline. */
  hello(row: Handshake): Buffer {
    const addresses = addressPair(row.flow.src, row.flow.dst);
    if (!addresses) {
      this.skipped++;
      return Buffer.alloc(0);
    }
    const [source, destination] = addresses;
    const { srcPort: sourcePort, dstPort: destinationPort } = row.flow;
    const ends: Endpoints = { source, sourcePort, destination, destinationPort };
    const raw = Buffer.from(row.hello.raw, 'base64');
    const flow = this.flow(row);
    const packets = row.transport === 'tcp' ? tcp(row, raw, ends, flow) : udp(row, raw, ends, flow);
    const timeNs = parseTimeNs(row.time);
    const direction = row.role === null ? null : row.role === row.kind ? 'outbound' : 'inbound';
    const comment = commentOf(row);
    return Buffer.concat(packets.map((packet) => packetBlock({ timeNs, packet, comment, direction })));
  }

  private flow({ flow: { src, srcPort, dst, dstPort }, transport }: Handshake): Flow {
    const [one, other] = [`${src} ${srcPort}`, `${dst} ${dstPort}`];
    const forward = one < other;
    const key = `${transport} ${forward ? `${one} ${other}` : `${other} ${one}`}`;
    let shared = this.flows.get(key)?.shared;
    if (!shared) {
      shared = { key, sequence: [1, 1], datagrams: 0, quic: null };
      if (this.flows.size >= MAX_FLOWS) for (const oldest of oldestKeys(this.flows)) this.flows.delete(oldest);
    }
    const flow = { shared, side: forward ? (0 as const) : (1 as const) };
    this.flows.set(key, flow);
    return flow;
  }
}

/** What was sent so far between two ends. */
interface Shared {
  readonly key: string;
  /** Next TCP sequence number of each end. */
  readonly sequence: [number, number];
  datagrams: number;
  /** Once there is a packet of QUIC. */
  quic: QuicInitials | null;
}

interface Flow {
  readonly shared: Shared;
  /** Which of the ends sends. */
  readonly side: 0 | 1;
}

function tcp(row: Handshake, raw: Buffer, ends: Endpoints, { shared, side }: Flow): Buffer[] {
  const stream = row.hello.sslv2 ? raw : inRecords(raw, recordVersion(row));
  const packets: Buffer[] = [];
  for (let at = 0; at < stream.length; at += MAX_SEGMENT) {
    const payload = stream.subarray(at, at + MAX_SEGMENT);
    packets.push(tcpPacket(ends, shared.sequence[side], shared.sequence[side === 0 ? 1 : 0], payload));
    shared.sequence[side] = (shared.sequence[side] + payload.length) >>> 0;
  }
  return packets;
}

function udp(row: Handshake, raw: Buffer, ends: Endpoints, { shared }: Flow): Buffer[] {
  if (row.transport === 'dtls') return dtlsRecords(raw, shared).map((payload) => udpPacket(ends, payload));
  const quic = (shared.quic ??= new QuicInitials(connectionId(shared.key)));
  const packets = quic.hello(row.kind, raw).map((payload) => udpPacket(ends, payload));
  if (row.kind === 'client' || !quic.isSilent) return packets;
  // Without a packet of the client nobody could open the server's.
  const { source, sourcePort, destination, destinationPort } = ends;
  const back = { source: destination, sourcePort: destinationPort, destination: source, destinationPort: sourcePort };
  return [udpPacket(back, quic.ping()), ...packets];
}

/** A handshake message in TLS records (RFC 8446 section 5.1). */
function inRecords(message: Buffer, version: number): Buffer {
  const pieces: Buffer[] = [];
  for (let at = 0; at < message.length; at += MAX_FRAGMENT) {
    const fragment = message.subarray(at, at + MAX_FRAGMENT);
    const header = Buffer.of(22, version >> 8, version & 0xff, fragment.length >> 8, fragment.length & 0xff);
    pieces.push(header, fragment);
  }
  return Buffer.concat(pieces);
}

/** A handshake message with its 12-byte header in DTLS records, in fragments where it is long (RFC 6347 section 4.2.3). */
function dtlsRecords(message: Buffer, shared: Shared): Buffer[] {
  const header = message.subarray(0, DTLS_HANDSHAKE_HEADER_LENGTH);
  const body = message.subarray(DTLS_HANDSHAKE_HEADER_LENGTH);
  const records: Buffer[] = [];
  for (let at = 0; at === 0 || at < body.length; at += MAX_FRAGMENT) {
    const fragment = body.subarray(at, at + MAX_FRAGMENT);
    const record = Buffer.concat([Buffer.alloc(DTLS_RECORD_HEADER), header, fragment]);
    record.set([22, 0xfe, 0xfd]);
    record.writeUIntBE(shared.datagrams++, 5, 6);
    record.writeUInt16BE(record.length - DTLS_RECORD_HEADER, 11);
    if (header.length === DTLS_HANDSHAKE_HEADER_LENGTH) {
      record.writeUIntBE(at, DTLS_RECORD_HEADER + 6, 3);
      record.writeUIntBE(fragment.length, DTLS_RECORD_HEADER + 9, 3);
    }
    records.push(record);
  }
  return records;
}

/** What a client and a server of this hello's version would write into the record header. */
function recordVersion({ kind, tls }: Handshake): number {
  const legacy = tls?.legacyVersion ?? TLS12;
  if (legacy < TLS10 || legacy > TLS12) return TLS10;
  return kind === 'client' ? TLS10 : legacy;
}

/** Names in it were chosen by whoever started the process: only what can be shown safely is written. */
function commentOf({ seq, process }: Handshake): string | null {
  if (process === null) return null;
  const { comm, pid, exe } = process;
  const parts = [`process ${comm ?? 'unknown'}`, `pid ${pid}`, `exe ${exe ?? 'unknown'}`, `seq ${seq}`];
  return printable(parts.join(', '));
}

/** Eight bytes that follow from the flow, so that the same snapshot gives the same file. */
function connectionId(key: string): Buffer {
  return createHash('sha256').update(key).digest().subarray(0, 8);
}

const TLS10 = 0x0301;
const TLS12 = 0x0303;
const MAX_FRAGMENT = 1 << 14;
const DTLS_RECORD_HEADER = 13;
/** What one IP packet can carry, less some headers: nearly every hello is in one packet, with its comment. */
const MAX_SEGMENT = 60_000;
const MAX_FLOWS = 65_536;
