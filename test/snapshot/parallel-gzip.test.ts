import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { gunzipSync, gzipSync } from 'node:zlib';
import test from 'ava';
import { execa } from 'execa';
import { ParallelGzip } from '../../src/snapshot/parallel-gzip.js';
import { reasonAgainstCommands, testUnless } from '../left-out.js';

const BLOCK = 512 * 1024;

test('gunzip gives back what went in, at every length around a block and in pieces of any size', async (t) => {
  const content = Buffer.concat([randomBytes(BLOCK), Buffer.from('the same again '.repeat(80_000)), randomBytes(1000)]);
  for (const length of [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK, content.length]) {
    const bytes = content.subarray(0, length);
    const packed = await gzipped(bytes, 100_003);
    t.deepEqual(gunzipSync(packed), bytes);
    // However the bytes come, the member is the same.
    t.deepEqual(await gzipped(bytes, 70_001), packed);
  }
});

testUnless(reasonAgainstCommands('gzip'), 'gzip reads it, and its checksum and size are right', async (t) => {
  const bytes = Buffer.from('a line of a timeline\n'.repeat(100_000));
  const packed = await gzipped(bytes, 65_536);
  const { stdout } = await execa('gzip', ['-dc'], { input: packed, encoding: 'buffer', stripFinalNewline: false });
  t.deepEqual(Buffer.from(stdout), bytes);
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

async function gzipped(bytes: Buffer, piece: number): Promise<Buffer> {
  const pieces = Array.from({ length: Math.ceil(bytes.length / piece) }, (_, index) =>
    bytes.subarray(index * piece, (index + 1) * piece),
  );
  return buffer(Readable.from(pieces, { objectMode: false }).pipe(new ParallelGzip(1)));
}
