import { gzipSync } from 'node:zlib';
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { execa } from 'execa';
import fc from 'fast-check';
import { TlsnapError } from '../../../src/errors.js';
import { openByteSource } from '../../../src/pcap/file/byte-source.js';
import { reasonAgainstCommands, testUnless } from '../../left-out.js';
import { packetsOf, pcapOf, pieces, streamOf, summaryOf } from '../captures.js';
import { fixture, readFixture } from '../tshark.js';

const PACKETS = [Buffer.from('first'), Buffer.alloc(0), Buffer.from('the third')];

test('pcap is read in both byte orders, with micro- and nanoseconds', (t) => {
  for (const little of [true, false]) {
    for (const [magic, nanos] of [
      [0xa1b2c3d4, 123_456_000n],
      [0xa1b23c4d, 123_456n],
    ] as const) {
      const words = [magic, little ? 0x0004_0002 : 0x0002_0004, 0, 0, 65_535, 1, 1_700_000_000, 123_456, 5, 60];
      const capture = Buffer.alloc(words.length * 4);
      words.forEach((word, at) => (little ? capture.writeUInt32LE(word, at * 4) : capture.writeUInt32BE(word, at * 4)));
      const [packet] = packetsOf(Buffer.concat([capture, Buffer.from('hello')]));
      t.deepEqual(packet, { bytes: Buffer.from('hello'), timeNs: 1_700_000_000_000_000_000n + nanos, linkType: 1 });
    }
  }
});

testUnless(
  reasonAgainstCommands('editcap', 'mergecap'),
  'what editcap and mergecap make of a capture holds the same packets at the same times',
  async (t) => {
    const folder = await mkdtemp(join(tmpdir(), 'tlsnap-formats-'));
    t.teardown(() => rm(folder, { recursive: true }));
    const wanted = packetsOf(readFixture('clients.pcapng'));
    t.is(
      wanted.length,
      Number((await execa('capinfos', ['-Mrc', '-T', fixture('clients.pcapng')])).stdout.split('\t')[1]),
    );
    for (const [format, precision] of [
      ['pcap', 1000n],
      ['nsecpcap', 1n],
      ['modpcap', 1000n],
      ['pcapng', 1n],
    ] as const) {
      const file = join(folder, format);
      await execa('editcap', ['-F', format, fixture('clients.pcapng'), file]);
      const read = packetsOf(await readFile(file));
      t.deepEqual(
        read.map(({ bytes, timeNs }) => [bytes.toString('hex'), timeNs]),
        wanted.map(({ bytes, timeNs }) => [bytes.toString('hex'), timeNs - (timeNs % precision)]),
        format,
      );
    }
    // Two interfaces of different link types in one file.
    const merged = join(folder, 'merged');
    await execa('mergecap', ['-w', merged, fixture('clients.pcapng'), fixture('cooked.pcapng')]);
    const types = new Map<number, number>();
    for (const { linkType } of packetsOf(await readFile(merged))) types.set(linkType, (types.get(linkType) ?? 0) + 1);
    t.deepEqual(
      [...types.keys()].sort((a, b) => a - b),
      [1, cookedType()],
    );
    t.is(types.get(1), wanted.length);
  },
);

test('a simple packet block has no time, and is as long as snap length and block allow', (t) => {
  const little = (...words: number[]): Buffer => {
    const bytes = Buffer.alloc(words.length * 4);
    words.forEach((word, at) => bytes.writeUInt32LE(word >>> 0, at * 4));
    return bytes;
  };
  const capture = Buffer.concat([
    little(0x0a0d0d0a, 28, 0x1a2b3c4d, 1, -1, -1, 28),
    little(1, 20, 1, 6, 20),
    little(3, 24, 60),
    Buffer.from('abcdefgh'),
    little(24),
    // A block of a type that nobody knows, and an option-less enhanced packet.
    little(0x0bad, 16, 7, 16),
    little(6, 36, 0, 0, 5_000_000, 4, 60),
    Buffer.from('wxyz'),
    little(36),
  ]);
  t.deepEqual(
    packetsOf(capture).map(({ bytes, timeNs }) => [bytes.toString(), timeNs]),
    [
      ['abcdef', 0n],
      ['wxyz', 5_000_000_000n],
    ],
  );
});

test('if_tsresol and if_tsoffset are taken into account, in powers of ten and of two, in big-endian sections too', (t) => {
  const section = (resolution: number, offset: bigint, ticks: bigint): Buffer => {
    const bytes = Buffer.alloc(28 + 44 + 32);
    [0x0a0d0d0a, 28, 0x1a2b3c4d, 0x0001_0000, 0xffffffff, 0xffffffff, 28, 1, 44, 0x0001_0000, 0].forEach((word, at) =>
      bytes.writeUInt32BE(word, at * 4),
    );
    bytes.set([0, 9, 0, 1, resolution, 0, 0, 0, 0, 14, 0, 8], 44);
    bytes.writeBigInt64BE(offset, 56);
    bytes.writeUInt32BE(44, 68);
    [6, 32, 0, Number(ticks >> 32n), Number(ticks & 0xffff_ffffn), 0, 0, 32].forEach((word, at) =>
      bytes.writeUInt32BE(word, 72 + at * 4),
    );
    return bytes;
  };
  const times = packetsOf(
    Buffer.concat([
      section(9, 0n, 1_700_000_000_123_456_789n),
      section(0x80 | 10, 100n, 1024n + 512n),
      section(3, -1n, 5001n),
    ]),
  );
  t.deepEqual(
    times.map(({ timeNs }) => timeNs),
    [1_700_000_000_123_456_789n, 101_500_000_000n, 4_001_000_000n],
  );
});

for (const name of ['clients.pcapng', 'proxies.pcap'] as const) {
  test(`${name} cut anywhere gives the whole packets before, and says where it ends`, async (t) => {
    const capture = readFixture(name);
    const whole = packetsOf(capture).map(({ bytes }) => bytes.toString('hex'));
    for (let length = capture.length - 1; length > 24; length -= 97) {
      const cut = capture.subarray(0, length);
      const summary = await summaryOf(pieces(cut, [1 << 20])).catch((error: unknown) => error as TlsnapError);
      if (summary instanceof Error) {
        t.is(summary.kind, 'input');
        continue;
      }
      t.deepEqual(
        summary.read.map((bytes) => bytes.toString('hex')),
        whole.slice(0, summary.read.length),
      );
      if (summary.fault) t.is(summary.fault.kind, 'cut');
      t.true(summary.fault !== null || whole.length > summary.read.length);
    }
  });
}

test('a capture in pieces of any size gives the same packets as in one', async (t) => {
  const capture = readFixture('dtls.pcapng');
  const whole = packetsOf(capture).map(({ bytes }) => bytes.toString('hex'));
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 5000 }), { minLength: 1, maxLength: 5 }), async (sizes) => {
      const { read, fault } = await summaryOf(pieces(capture, sizes));
      t.is(fault, null);
      t.deepEqual(
        read.map((bytes) => bytes.toString('hex')),
        whole,
      );
    }),
    { numRuns: 50 },
  );
});

test('flipped bits and random bytes never throw anything but the error for input', async (t) => {
  const capture = readFixture('clients.pcapng');
  await fc.assert(
    fc.asyncProperty(fc.nat(capture.length - 1), fc.integer({ min: 1, max: 255 }), async (at, mask) => {
      const damaged = Buffer.from(capture);
      damaged[at] = (damaged[at] ?? 0) ^ mask;
      await summaryOf(pieces(damaged, [4096])).catch((error: unknown) => t.true(error instanceof TlsnapError));
    }),
    { numRuns: 300 },
  );
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (bytes) => {
      const error = await summaryOf(pieces(Buffer.from(bytes), [50])).catch((problem: unknown) => problem as Error);
      t.true(error instanceof TlsnapError && error.kind === 'input');
    }),
  );
});

test('a packet that claims more than any packet has ends the reading, and what came before is kept', async (t) => {
  const capture = pcapOf(1, PACKETS);
  const damaged = Buffer.concat([capture, Buffer.alloc(16, 0xee), Buffer.alloc(100)]);
  const { read, fault, packets } = await summaryOf(pieces(damaged, [1000]));
  t.deepEqual(read, PACKETS);
  t.is(packets, 3);
  t.deepEqual(fault, { offset: capture.length, kind: 'damaged', detail: 'packet 4 claims 4008636142 captured bytes' });
});

test('a pcapng record larger than any packet is passed over and counted, and what follows is read', async (t) => {
  const capture = readFixture('hello-retry.pcapng');
  const size = (2 << 20) + 12;
  const huge = Buffer.alloc(size);
  huge.writeUInt32LE(6, 0);
  huge.writeUInt32LE(size, 4);
  huge.writeUInt32LE(size, size - 4);
  const { packets, oversized, fault } = await summaryOf(pieces(Buffer.concat([capture, huge, capture]), [300_000]));
  t.is(packets, 2 * packetsOf(capture).length);
  t.is(oversized, 1);
  t.is(fault, null);
});

test('a file that is no capture is refused, and so is one whose first packet is cut off', async (t) => {
  for (const [bytes, message] of [
    ['', /is empty/],
    ['PK\u0003\u0004 something else entirely', /neither pcap nor pcapng/],
    [
      pcapOf(1, [Buffer.alloc(50)]).subarray(0, 60),
      /holds no readable packet: at byte 24, the file ends inside packet 1/,
    ],
  ] as const) {
    await t.throwsAsync(summaryOf(pieces(Buffer.from(bytes), [1000])), { instanceOf: TlsnapError, message });
  }
});

test('gzip is unpacked on the way, and the digest is that of the file as it is', async (t) => {
  const plain = pcapOf(1, PACKETS);
  const packed = gzipSync(plain);
  const source = await openByteSource('-', streamOf(packed));
  const { read } = await summaryOf(source);
  t.deepEqual(read, PACKETS);
  t.deepEqual(await source.digest(), {
    size: packed.length,
    sha256: createHash('sha256').update(packed).digest('hex'),
  });
});

test('a cut-off gzip file gives the packets that could be unpacked', async (t) => {
  const many = Array.from({ length: 2000 }, (_, index) =>
    Buffer.from(`packet ${index} ${createHash('md5').update(`${index}`).digest('hex')}`),
  );
  const packed = gzipSync(pcapOf(1, many));
  const source = await openByteSource('-', streamOf(packed.subarray(0, packed.length - 1000)));
  const { read, fault } = await summaryOf(source);
  t.true(read.length > 100 && read.length < many.length);
  t.deepEqual(read, many.slice(0, read.length));
  t.regex(fault?.detail ?? '', /gzip data is cut off/);
  await source.close();
});

test('after a fault the digest still covers the whole file', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'tlsnap-digest-'));
  t.teardown(() => rm(folder, { recursive: true }));
  const damaged = Buffer.concat([pcapOf(1, PACKETS), Buffer.alloc(10_000_000, 0xff)]);
  await writeFile(join(folder, 'damaged'), damaged);
  const source = await openByteSource(join(folder, 'damaged'), streamOf(Buffer.alloc(0)));
  t.is((await summaryOf(source)).fault?.kind, 'damaged');
  t.deepEqual(await source.digest(), {
    size: damaged.length,
    sha256: createHash('sha256').update(damaged).digest('hex'),
  });
  await source.close();
});

/** Which of the two cooked types dumpcap chose on the machine that made the fixture. */
function cookedType(): number {
  return packetsOf(readFixture('cooked.pcapng'))[0]?.linkType ?? -1;
}
