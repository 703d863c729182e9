import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { join } from 'node:path';
import { crc32, gunzipSync, gzipSync } from 'node:zlib';
import test from 'ava';
import fc from 'fast-check';
import { execa } from 'execa';
import { joinedCrc32 } from '../../src/snapshot/crc32-joined.js';
import { DeflatedBytes } from '../../src/snapshot/deflated-bytes.js';
import { ParallelGzip, type Prepared } from '../../src/snapshot/parallel-gzip.js';
import { reasonAgainstCommands, testUnless } from '../left-out.js';
import { temporaryFolder } from './sample.js';

const BLOCK = 512 * 1024;

test('gunzip gives back what went in, at every length around a block and in pieces of any size', async (t) => {
  const content = Buffer.concat([randomBytes(BLOCK), Buffer.from('the same again '.repeat(80_000)), randomBytes(1000)]);
  for (const length of [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK, content.length]) {
    const bytes = content.subarray(0, length);
    const packed = await gzipped(bytes, 100_003);
    t.true(gunzipSync(packed).equals(bytes));
    // However the bytes come, the member is the same.
    t.true((await gzipped(bytes, 70_001)).equals(packed));
  }
});

testUnless(reasonAgainstCommands('gzip'), 'gzip reads it, and its checksum and size are right', async (t) => {
  const bytes = Buffer.from('a line of a timeline\n'.repeat(100_000));
  const packed = await gzipped(bytes, 65_536);
  const { stdout } = await execa('gzip', ['-dc'], { input: packed, encoding: 'buffer', stripFinalNewline: false });
  t.true(bytes.equals(stdout));
});

test('it is as small as one stream, but for a percent', async (t) => {
  const lines = Array.from(
    { length: 20_000 },
    (_, index) => `{"seq":${index},"raw":"${randomBytes(30).toString('base64')}"}\n`,
  );
  const bytes = Buffer.from(lines.join(''));
  const packed = await gzipped(bytes, 65_536);
  t.true(packed.length < gzipSync(bytes, { level: 1 }).length * 1.01);
});

test('a run that was deflated before takes the place of its bytes, whatever is given for them', async (t) => {
  const content = Buffer.from(Array.from({ length: 120_000 }, (_, index) => `line ${index * 7919}\n`).join(''));
  const folder = await temporaryFolder(t);
  for (const [at, [start, end]] of [
    [0, 10],
    [1024, BLOCK + 1024],
    [BLOCK, 2 * BLOCK],
    [5, content.length],
    [content.length - 1, content.length],
  ].entries()) {
    const staged = new DeflatedBytes(join(folder, String(at)));
    const run = content.subarray(start, end);
    staged.write(run);
    const prepared = [{ start: start ?? 0, size: run.length, deflated: await staged.finish() }];
    const given = Buffer.from(content);
    given.fill(0, start, end);
    t.true(gunzipSync(await gzipped(given, 65_537, prepared)).equals(content));
  }
});

test('the CRC of two runs, one behind the other, is that of both together', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 3000 }), fc.uint8Array({ maxLength: 3000 }), (first, second) => {
      t.is(joinedCrc32(crc32(first), crc32(second), second.length), crc32(Buffer.concat([first, second])));
    }),
  );
  const long = Buffer.alloc(5_000_000, 'abc');
  t.is(joinedCrc32(crc32('x'), crc32(long), long.length), crc32(Buffer.concat([Buffer.from('x'), long])));
});

async function gzipped(bytes: Buffer, piece: number, prepared: readonly Prepared[] = []): Promise<Buffer> {
  const pieces = Array.from({ length: Math.ceil(bytes.length / piece) }, (_, index) =>
    bytes.subarray(index * piece, (index + 1) * piece),
  );
  return buffer(Readable.from(pieces, { objectMode: false }).pipe(new ParallelGzip(1, prepared)));
}
