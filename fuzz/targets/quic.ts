/**
 * QUIC. The input is a list of pieces, each two bytes of length and as many bytes. A piece is sent twice: as a datagram, and as
 * the frames of a packet that is sealed with right keys, as no fuzzer finds an authentication tag.
 */
import { cryptoFrames } from '../../src/pcap/quic/frames.js';
import { CryptoStream } from '../../src/pcap/quic/crypto-stream.js';
import { InitialKeys } from '../../src/pcap/quic/initial-keys.js';
import { readLongPacket } from '../../src/pcap/quic/long-header.js';
import { QuicFlow } from '../../src/pcap/quic/quic-flow.js';
import { quicVersion } from '../../src/pcap/quic/versions.js';
import { QuicInitials } from '../../src/pcap/write/quic-initial.js';

const ID = Buffer.from('8394c8f03e515708', 'hex');

export function fuzz(input: Uint8Array): void {
  const version = quicVersion(1);
  if (!version) throw new Error('version 1 is known');
  const keys = new InitialKeys(version, ID);
  let total = 0;
  const flow = new QuicFlow(({ raw, complete, error }) => {
    if (raw.length > total) throw new Error('a hello longer than all that came');
    if (complete !== (error === null)) throw new Error('cut short without an error, or the other way round');
  });
  const stream = new CryptoStream();
  for (let at = 0; at + 2 <= input.length;) {
    const length = ((input[at] ?? 0) << 8) | (input[at + 1] ?? 0);
    const piece = Buffer.from(input.subarray(at + 2, at + 2 + length));
    total += piece.length;
    for (const fromLow of [true, false]) flow.datagram(fromLow, piece, 0, piece.length, () => 0n);
    const header = Buffer.concat([Buffer.of(0xc3, 0, 0, 0, 1, ID.length), ID, Buffer.of(0, 0)]);
    const size = Buffer.alloc(2);
    size.writeUInt16BE(0x4000 | Math.min(0x3fff, 4 + piece.length + 16));
    const sealed = keys.seal('client', Buffer.concat([header, size]), Buffer.alloc(4), piece);
    flow.datagram(true, sealed, 0, sealed.length, () => 0n);
    stream.push(cryptoFrames(piece), 0n);
    const packet = readLongPacket(piece, 0, piece.length);
    if (packet && (packet.end > piece.length || packet.end <= packet.start))
      throw new Error('a packet that does not end');
    at += 2 + length;
  }
  flow.end();
  stream.end();
}

export function seeds(): Uint8Array[] {
  const hello = Buffer.concat([Buffer.from('010000d4', 'hex'), Buffer.alloc(212, 0x42)]);
  const frame = (offset: number, bytes: Buffer): Buffer =>
    Buffer.concat([
      Buffer.of(6, 0x40 | (offset >> 8), offset & 0xff, 0x40 | (bytes.length >> 8), bytes.length & 0xff),
      bytes,
    ]);
  const [first, second] = [frame(0, hello.subarray(0, 100)), frame(100, hello.subarray(100))];
  const acked = Buffer.from('02000000000300000000010203', 'hex');
  const lists = [[frame(0, hello)], [second, Buffer.concat([Buffer.of(1, 0), first])], [acked, first, second]];
  lists.push(new QuicInitials(ID).hello('client', hello));
  return lists.map((pieces) =>
    Uint8Array.from(pieces.flatMap((piece) => [piece.length >> 8, piece.length & 0xff, ...piece])),
  );
}
