import { constants, crc32, deflateRawSync, gzipSync } from 'node:zlib';
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import test from 'ava';
import { execa } from 'execa';
import { TlsnapError } from '../../../src/errors.js';
import { openByteSource } from '../../../src/pcap/file/byte-source.js';
import { reasonAgainstCommands, testUnless } from '../../left-out.js';
import { packetsOf, pcapOf, summaryOf } from '../captures.js';

const PACKETS = Array.from({ length: 3000 }, (_, index) =>
  Buffer.from(`packet ${index} ${createHash('md5').update(`${index}`).digest('hex')}`),
);
const PLAIN = pcapOf(1, PACKETS);
const PACKED = gzipSync(PLAIN);

const DAMAGED = /^the gzip data is damaged: /;

for (const [title, packed, fault] of [
  ['a whole file', PACKED, null],
  ['a name, a comment, extra bytes and a checksum in the header', withFullHeader(PACKED), null],
  [
    'members one after another',
    Buffer.concat([gzipSync(PLAIN.subarray(0, 99_999)), gzipSync(PLAIN.subarray(99_999))]),
    null,
  ],
  ['an empty member between others', Buffer.concat([PACKED, gzipSync(''), gzipSync(''), Buffer.alloc(1)]), null],
  ['zeros at the end', Buffer.concat([PACKED, Buffer.alloc(10_000)]), null],
  [
    'other bytes at the end',
    Buffer.concat([PACKED, Buffer.from('garbage')]),
    new RegExp(`^something other than gzip data follows byte ${PACKED.length} of the file$`),
  ],
  [
    'a member beyond zeros',
    Buffer.concat([PACKED, Buffer.alloc(5), PACKED]),
    new RegExp(`^something other than gzip data follows byte ${PACKED.length} of the file$`),
  ],
  ['one byte of a next member', Buffer.concat([PACKED, PACKED.subarray(0, 1)]), /^something other than gzip data/],
  ['a wrong checksum', flipped(PACKED, -8), DAMAGED],
  ['a wrong length', flipped(PACKED, -4), DAMAGED],
  ['a wrong checksum in the first member', Buffer.concat([flipped(PACKED, -8), PACKED]), DAMAGED],
  ['no checksum', PACKED.subarray(0, -8), /^the gzip data is cut off$/],
] as const) {
  testUnless(
    reasonAgainstCommands('gzip'),
    `gzip'd, ${title}: the packets are those that gzip unpacks, and a fault is told`,
    async (t) => {
      // What gzip writes before it complains, if it does.
      const { stdout } = await execa('gzip', ['-dc'], { input: packed, encoding: 'buffer', reject: false });
      const wanted = packetsOf(Buffer.from(stdout)).map(({ bytes }) => bytes);
      t.is(wanted.length, PACKETS.length);
      for (const size of [7, 1000, packed.length]) {
        const source = await openByteSource('-', Readable.from(inPieces(packed, size)));
        const summary = await summaryOf(source);
        t.deepEqual(summary.read, wanted);
        if (fault === null) t.is(summary.fault, null);
        else t.regex(summary.fault?.detail ?? '', fault);
        t.is(summary.fault?.offset ?? PLAIN.length, PLAIN.length);
        t.is((await source.digest()).size, packed.length);
        await source.close();
      }
    },
  );
}

test('gzip data damaged further on gives what was unpacked before, but for 16 KiB at most', async (t) => {
  // RFC 1951, 3.2.3: a block of type 3 is an error.
  const header = PACKED.subarray(0, 10);
  const packed = Buffer.concat([header, deflateRawSync(PLAIN, { finishFlush: constants.Z_FULL_FLUSH }), Buffer.of(7)]);
  const source = await openByteSource('-', Readable.from(inPieces(packed, 1000)));
  const { read, fault } = await summaryOf(source);
  t.like(fault, { kind: 'damaged', detail: 'the gzip data is damaged: invalid block type' });
  const offset = fault?.offset ?? 0;
  t.true(offset > PLAIN.length - 16_384 - pcapOf(1, PACKETS.slice(-1)).length);
  t.deepEqual(read, PACKETS.slice(0, read.length));
  t.is(pcapOf(1, read).length, offset);
  await source.close();
});

test('gzip data that breaks before anything is unpacked is not called empty', async (t) => {
  // Of the first two gzip -dc says "unexpected end of file", of the third "format violated"; the last it takes.
  for (const [packed, message] of [
    [PACKED.subarray(0, 2), /holds no readable packet: at byte 0, the gzip data is cut off$/],
    [PACKED.subarray(0, 12), /holds no readable packet: at byte 0, the gzip data is cut off$/],
    [Buffer.concat([PACKED.subarray(0, 10), Buffer.of(7)]), /at byte 0, the gzip data is damaged: invalid block type$/],
    [gzipSync(''), /is empty$/],
  ] as const) {
    const source = await openByteSource('-', Readable.from([packed]));
    await t.throwsAsync(summaryOf(source), { instanceOf: TlsnapError, message });
    await source.close();
  }
});

test('a packet that cannot be is the fault, whatever is wrong with the gzip data behind it', async (t) => {
  const capture = Buffer.concat([PLAIN, Buffer.alloc(16, 0xee)]);
  const packed = Buffer.concat([gzipSync(capture), Buffer.from('garbage')]);
  const source = await openByteSource('-', Readable.from([packed]));
  const { fault } = await summaryOf(source);
  t.like(fault, { offset: PLAIN.length, kind: 'damaged' });
  t.regex(fault?.detail ?? '', /^packet 3001 claims/);
  await source.close();
});

function* inPieces(bytes: Buffer, size: number): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

/** With one byte changed, counted from the end. */
function flipped(bytes: Buffer, at: number): Buffer {
  const changed = Buffer.from(bytes);
  changed.writeUInt8(0xff ^ bytes.readUInt8(bytes.length + at), bytes.length + at);
  return changed;
}

/** RFC 1952, 2.3.1: FEXTRA, FNAME, FCOMMENT, and FHCRC, which is the lower half of the checksum of all before it. */
function withFullHeader(packed: Buffer): Buffer {
  const header = Buffer.concat([
    packed.subarray(0, 10),
    Buffer.from([4, 0, 1, 2, 3, 4]),
    Buffer.from('name\0comment\0'),
  ]);
  header[3] = 2 | 4 | 8 | 16;
  const checksum = Buffer.alloc(2);
  checksum.writeUInt16LE(crc32(header) & 0xffff);
  return Buffer.concat([header, checksum, packed.subarray(10)]);
}
