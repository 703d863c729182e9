import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { execa } from 'execa';
import { type CaptureSummary, readCapture } from '../../../src/pcap/file/read-capture.js';
import { testUnless } from '../../left-out.js';
import { copyOf, packetsOf, pieces, summaryOf } from '../captures.js';
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
      read.push([bytes.length, ENCAPSULATIONS.get(linkType), decimal(timeNs)].join('\t'));
    },
  });
  const fields = ['frame.cap_len', 'frame.encap_type', 'frame.time_epoch'].flatMap((field) => ['-e', field]);
  // To tshark a custom block is a frame too, but not one with an address.
  const args = ['-n', '-r', file, '-Y', 'ip or ipv6', '-T', 'fields', ...fields];
  const { stdout } = await execa('tshark', args, { reject: false });
  t.deepEqual(read, stdout === '' ? [] : stdout.split('\n'));
  return summary;
}

function section(options: readonly Buffer[] = []): Buffer {
  return block(0x0a0d0d0a, words(0x1a2b3c4d, 1, 0xffff_ffff, 0xffff_ffff), ...options);
}

function description(linkType: number, options: readonly Buffer[] = []): Buffer {
  return block(1, words(linkType, 0), ...options);
}

/** An enhanced packet block, with the time of `SECONDS`. */
function enhanced(frame: Buffer, id = 0): Buffer {
  const micros = BigInt(SECONDS) * 1_000_000n;
  const time = [Number(micros >> 32n), Number(micros & 0xffff_ffffn)];
  return block(6, words(id, ...time, frame.length, frame.length), frame, Buffer.alloc(-frame.length & 3));
}

function block(type: number, ...parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  const length = words(body.length + 12);
  return Buffer.concat([words(type), length, body, length]);
}

function option(code: number, value: Buffer): Buffer {
  return Buffer.concat([words(value.length * 2 ** 16 + code), value, Buffer.alloc(-value.length & 3)]);
}

function words(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4);
  values.forEach((value, index) => bytes.writeUInt32LE(value, index * 4));
  return bytes;
}

/** As tshark prints a time. */
function decimal(timeNs: bigint): string {
  return `${timeNs / 1_000_000_000n}.${String(timeNs % 1_000_000_000n).padStart(9, '0')}`;
}

const SECONDS = 1_700_000_000;
const ETHERNET = 1;
const RAW = 101;
/** What Wireshark's wiretap calls them. */
const ENCAPSULATIONS = new Map([
  [ETHERNET, 1],
  [RAW, 7],
]);
const FRAMES = packetsOf(readFixture('hello-retry.pcapng')).map(({ bytes }) => bytes);
