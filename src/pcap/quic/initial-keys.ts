/** Keys of Initial packets, and the packets without their protection (RFC 9001 sections 5.2 to 5.4). */
import { createCipheriv, createDecipheriv } from 'node:crypto';
import { expandLabel, HmacKey } from './hmac-key.js';
import type { LongPacket } from './long-header.js';
import type { QuicVersion } from './versions.js';

export type QuicSide = 'client' | 'server';

/** What a client and a server protect their Initial packets with; anyone who saw the first packet can derive it. */
export class InitialKeys {
  readonly version: QuicVersion;
  private readonly secret: HmacKey;
  private readonly sides: { client?: SideKeys; server?: SideKeys } = {};

  /** @param dcid destination connection id of the client's first packet, or of its first one after a Retry */
  constructor(version: QuicVersion, dcid: Uint8Array) {
    this.version = version;
    this.secret = new HmacKey(version.salt.sign(dcid));
  }

  /** The frames in an Initial packet that `side` sent, or null where these are not its keys. */
  open(buffer: Buffer, packet: LongPacket, side: QuicSide): Buffer | null {
    const keys = (this.sides[side] ??= this.derive(side));
    const at = packet.packetNumberAt;
    // The sample starts where the packet number would end if it were as long as it can be.
    if (packet.end - at < MAX_PACKET_NUMBER + SAMPLE) return null;
    const mask = createCipheriv('aes-128-ecb', keys.hp, null).update(
      buffer.subarray(at + MAX_PACKET_NUMBER, at + MAX_PACKET_NUMBER + SAMPLE),
    );
    const first = buffer.readUInt8(packet.start) ^ (mask.readUInt8(0) & 0x0f);
    const numberLength = (first & 3) + 1;
    if (packet.end - at < numberLength + TAG) return null;
    const header = Buffer.from(buffer.subarray(packet.start, at + numberLength));
    header[0] = first;
    const nonce = Buffer.from(keys.iv);
    for (let index = 0; index < numberLength; index++) {
      const byte = buffer.readUInt8(at + index) ^ mask.readUInt8(1 + index);
      header[header.length - numberLength + index] = byte;
      const place = nonce.length - numberLength + index;
      nonce[place] = (nonce[place] ?? 0) ^ byte;
    }
    const decipher = createDecipheriv('aes-128-gcm', keys.key, nonce);
    decipher.setAAD(header);
    decipher.setAuthTag(buffer.subarray(packet.end - TAG, packet.end));
    const frames = decipher.update(buffer.subarray(at + numberLength, packet.end - TAG));
    try {
      decipher.final();
    } catch {
      return null;
    }
    return frames;
  }

  /** The inverse of open(): a whole packet from its header up to the packet number, that number, and frames. */
  seal(side: QuicSide, header: Buffer, number: Buffer, frames: Buffer): Buffer {
    const keys = (this.sides[side] ??= this.derive(side));
    const nonce = Buffer.from(keys.iv);
    const shift = nonce.length - number.length;
    for (const [index, byte] of number.entries()) nonce[shift + index] = (nonce[shift + index] ?? 0) ^ byte;
    const plainHeader = Buffer.concat([header, number]);
    const cipher = createCipheriv('aes-128-gcm', keys.key, nonce);
    cipher.setAAD(plainHeader);
    const packet = Buffer.concat([plainHeader, cipher.update(frames), cipher.final(), cipher.getAuthTag()]);
    const sampleAt = header.length + MAX_PACKET_NUMBER;
    const mask = createCipheriv('aes-128-ecb', keys.hp, null).update(packet.subarray(sampleAt, sampleAt + SAMPLE));
    packet[0] = packet.readUInt8(0) ^ (mask.readUInt8(0) & 0x0f);
    for (let index = 0; index < number.length; index++) {
      packet[header.length + index] = packet.readUInt8(header.length + index) ^ mask.readUInt8(1 + index);
    }
    return packet;
  }

  private derive(side: QuicSide): SideKeys {
    const secret = new HmacKey(this.secret.sign(SECRET_LABELS[side]));
    const { key, iv, hp } = this.version.labels;
    return {
      key: secret.sign(key).subarray(0, 16),
      iv: secret.sign(iv).subarray(0, 12),
      hp: secret.sign(hp).subarray(0, 16),
    };
  }
}

interface SideKeys {
  readonly key: Buffer;
  readonly iv: Buffer;
  readonly hp: Buffer;
}

const SECRET_LABELS = { client: expandLabel('client in', 32), server: expandLabel('server in', 32) };
const MAX_PACKET_NUMBER = 4;
const SAMPLE = 16;
const TAG = 16;
