import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { execa } from 'execa';
import { NO_CLOCK } from '../../../src/pcap/file/captured-packet.js';
import { type CaptureSummary, readCapture } from '../../../src/pcap/file/read-capture.js';
import { testUnless } from '../../left-out.js';
import { copyOf, packetsOf, pieces, summaryOf } from '../captures.js';
import { block, description, enhanced, ETHERNET, option, RAW, section, simple, words } from '../pcapng-blocks.js';
import { readFixture, reasonAgainstTshark } from '../tshark.js';

testUnless(reasonAgainstTshark(), 'packets before one of an undescribed interface are read and counted', async (t) => {
  const capture = Buffer.concat([section(), description(ETHERNET), ...FRAMES.map((frame) => enhanced(frame))]);
  const { packets, fault } = await readAsByTshark(t, Buffer.concat([capture, enhanced(Buffer.alloc(60), 5), capture]));
  t.is(packets, FRAMES.length);
  t.deepEqual(fault, {
    offset: capture.length,
    kind: 'damaged',
    detail: `packet ${FRAMES.length + 1} names interface 5, which is not described`,
  });
  await t.throwsAsync(summaryOf(pieces(Buffer.concat([section(), enhanced(Buffer.alloc(60))]), [1000])), {
    message: /holds no readable packet: at byte 28, packet 1 names interface 0/,
  });
});

testUnless(
  reasonAgainstTshark(),
  'blocks larger than any packet that hold none are no loss, wherever pieces of the file end in them',
  async (t) => {
    const large = Buffer.alloc(2 << 20, 'C');
    // Decryption secrets of TLS, a custom block, and one of a type that nobody knows.
    for (const begin of [[10, 0x544c_534b, large.length], [0x0bad, 32_473], [0x0bae]]) {
      const [type = 0, ...rest] = begin;
      const other = block(type, words(...rest), large);
      const packets = FRAMES.map((frame) => enhanced(frame));
      const capture = Buffer.concat([section(), description(ETHERNET), other, ...packets, other, ...packets]);
      for (const size of [300_000, 1 << 20]) {
        const summary = await readAsByTshark(t, capture, size);
        t.is(summary.packets, 2 * FRAMES.length);
        t.is(summary.oversized, 0);
        t.is(summary.fault, null);
      }
      const cut = await summaryOf(pieces(capture.subarray(0, 3 << 20), [1 << 20]));
      t.is(cut.fault?.detail, `the file ends inside the block after packet ${FRAMES.length}`);
    }
  },
);

testUnless(
  reasonAgainstTshark(),
  'a section header and an interface description are read whatever their size',
  async (t) => {
    const comments = Array.from({ length: 40 }, () => option(1, Buffer.alloc(60_000, 'c')));
    const capture = Buffer.concat([
      section(),
      description(ETHERNET),
      ...FRAMES.map((frame) => enhanced(frame)),
      section(comments),
      description(RAW, [option(9, Buffer.of(9)), ...comments]),
      ...FRAMES.map((frame) => enhanced(frame.subarray(14))),
    ]);
    for (const size of [300_000, 1 << 20]) {
      const { packets, oversized, fault } = await readAsByTshark(t, capture, size);
      t.is(packets, 2 * FRAMES.length);
      t.is(oversized, 0);
      t.is(fault, null);
    }
  },
);

testUnless(reasonAgainstTshark(), 'a simple packet has no time, whatever its interface counts from', async (t) => {
  // if_tsoffset: a hundred seconds.
  const later = option(14, Buffer.of(100, 0, 0, 0, 0, 0, 0, 0));
  const [first = NONE, ...others] = FRAMES;
  const packets = [enhanced(first), simple(first), ...others.map(simple), enhanced(first)];
  const capture = Buffer.concat([section(), description(ETHERNET), ...packets, section(), description(RAW, [later])]);
  const { fault } = await readAsByTshark(
    t,
    Buffer.concat([capture, simple(first.subarray(14)), simple(first.subarray(14))]),
  );
  t.is(fault, null);
});

/** Reads a capture, and compares length, link type and time of its packets with what tshark sees until something is wrong. */
async function readAsByTshark(t: ExecutionContext, capture: Buffer, size = 300_000): Promise<CaptureSummary> {
  const folder = await mkdtemp(join(tmpdir(), 'tlsnap-pcapng-'));
  t.teardown(() => rm(folder, { recursive: true }));
  const file = join(folder, 'capture');
  await writeFile(file, capture);
  const read: string[] = [];
  const summary = await readCapture(pieces(capture, [size]), {
    packet: (packet) => {
      const { bytes, timeNs, linkType } = copyOf(packet);
      const time = packet.clock === NO_CLOCK ? '' : decimal(timeNs);
      read.push([bytes.length, ENCAPSULATIONS.get(linkType), time].join('\t'));
    },
  });
  const fields = ['frame.cap_len', 'frame.encap_type', 'frame.time_epoch'].flatMap((field) => ['-e', field]);
  // To tshark a custom block is a frame too, but not one with an address.
  const args = ['-n', '-r', file, '-Y', 'ip or ipv6', '-T', 'fields', ...fields];
  const { stdout } = await execa('tshark', args, { reject: false });
  t.deepEqual(read, stdout === '' ? [] : stdout.split('\n'));
  return summary;
}

/** As tshark prints a time. */
function decimal(timeNs: bigint): string {
  return `${timeNs / 1_000_000_000n}.${String(timeNs % 1_000_000_000n).padStart(9, '0')}`;
}

/** What Wireshark's wiretap calls them. */
const ENCAPSULATIONS = new Map([
  [ETHERNET, 1],
  [RAW, 7],
]);
const FRAMES = packetsOf(readFixture('hello-retry.pcapng')).map(({ bytes }) => bytes);
const NONE = Buffer.alloc(0);
