/** Initial packets made anew from the hello in a snapshot (RFC 9000 section 17.2.2, RFC 9001 section 5). */
import { InitialKeys, type QuicSide } from '../quic/initial-keys.js';
import { quicVersion } from '../quic/versions.js';

/** Makes the Initial packets of one connection. Version 1, whatever the real one was: a snapshot does not say. */
export class QuicInitials {
  /** Packets made by each side, and bytes of its crypto stream. */
  private readonly sent = { client: { packets: 0, bytes: 0 }, server: { packets: 0, bytes: 0 } };
  private readonly clientId: Buffer;
  private readonly keys: InitialKeys;

  /** @param clientId what the client's packets are addressed to; the keys follow from it */
  constructor(clientId: Buffer) {
    const version = quicVersion(VERSION);
    if (!version) throw new Error('QUIC version 1 is known');
    this.clientId = clientId;
    this.keys = new InitialKeys(version, clientId);
  }

  /** True as long as nobody could derive the keys, as no packet of the client was seen. */
  get isSilent(): boolean {
    return this.sent.client.packets === 0;
  }

  /** A packet without a hello, which only makes the connection id known. */
  ping(): Buffer {
    return this.packet('client', Buffer.of(PING));
  }

  /** The UDP payloads that carry a hello of `side`. */
  hello(side: QuicSide, message: Uint8Array): Buffer[] {
    const payloads: Buffer[] = [];
    for (let at = 0; at < message.length; at += MAX_CRYPTO) {
      const bytes = message.subarray(at, at + MAX_CRYPTO);
      const frame = Buffer.concat([Buffer.of(CRYPTO), varint(this.sent[side].bytes), varint(bytes.length), bytes]);
      this.sent[side].bytes += bytes.length;
      payloads.push(this.packet(side, frame));
    }
    return payloads;
  }

  private packet(side: QuicSide, frames: Buffer): Buffer {
    const number = this.sent[side].packets++;
    // RFC 9000 section 14.1: datagrams with an Initial are padded to 1200 bytes.
    const padded = Buffer.concat([frames, Buffer.alloc(Math.max(0, MIN_FRAMES - frames.length))]);
    const [to, from] = side === 'client' ? [this.clientId, NO_ID] : [NO_ID, this.clientId];
    const header = Buffer.concat([
      Buffer.of(FIRST_BYTE, 0, 0, 0, VERSION, to.length),
      to,
      Buffer.of(from.length),
      from,
      varint(0),
      varint(NUMBER_LENGTH + padded.length + TAG),
    ]);
    const numberBytes = Buffer.alloc(NUMBER_LENGTH);
    numberBytes.writeUInt32BE(number);
    return this.keys.seal(side, header, numberBytes, padded);
  }
}

function varint(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE((value | 0x8000_0000) >>> 0);
  return bytes;
}

const VERSION = 1;
/** Long header, fixed bit, Initial, four bytes of packet number. */
const FIRST_BYTE = 0xc3;
const NUMBER_LENGTH = 4;
const TAG = 16;
const PING = 1;
const CRYPTO = 6;
const NO_ID = Buffer.alloc(0);
const MIN_FRAMES = 1162;
/** Bytes of a hello in one packet; far from the limit of a datagram, and all of any real hello. */
const MAX_CRYPTO = 60_000;
