import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { constants, crc32, inflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import test, { type ExecutionContext } from 'ava';
import { DeflatedBytes } from '../../src/snapshot/deflated-bytes.js';
import { TimelineFile } from '../../src/snapshot/timeline-file.js';
import { temporaryFolder } from './sample.js';

// The expected order is that of Array.prototype.sort, which is stable.

test('any rows in any order come out sorted by time, equal times as they came, each as it was', async (t) => {
  const row = fc.record({ time: fc.nat({ max: 30 }), length: fc.constantFrom(0, 1, 1000, 300_000, 700_000) });
  await fc.assert(
    fc.asyncProperty(fc.array(row, { maxLength: 40 }), async (rows) => {
      await assertSorted(t, rows);
    }),
    { numRuns: 40 },
  );
});

test.serial(
  'two runs, each in order and one behind the other, are merged without reading all of it for each line',
  async (t) => {
    const half = Array.from({ length: 20_000 }, (_, index) => ({ time: index, length: 500 }));
    const before = bytesRead();
    await assertSorted(t, [...half, ...half]);
    // Of some 30 MB. It once read 8 MiB a line.
    t.true(bytesRead() - before < 300_000_000, `${bytesRead() - before} bytes were read`);
  },
);

test('deflated while they are written, lines in order stay deflated, and others are sorted all the same', async (t) => {
  const inOrder = Array.from({ length: 3000 }, (_, index) => ({ time: index, length: 700 }));
  t.true(await assertSorted(t, inOrder, 'deflating'));
  t.false(await assertSorted(t, [...inOrder, { time: 1, length: 5 }], 'deflating'));
  t.true(await assertSorted(t, [], 'deflating'));
});

/** True where what is staged is deflated. */
async function assertSorted(
  t: ExecutionContext,
  rows: readonly { time: number; length: number }[],
  way: 'plain' | 'deflating' = 'plain',
): Promise<boolean> {
  const path = join(await temporaryFolder(t), 'handshakes.ndjson');
  const file = new TimelineFile(path, way === 'deflating' ? new DeflatedBytes(`${path}.deflated`) : null);
  rows.forEach(({ time, length }, arrival) => {
    const json = JSON.stringify({ time, arrival, text: textOf(length) });
    // In every way a row can come: whole, and in parts of either kind.
    if (arrival % 3 === 0) file.addJson(BigInt(time), json);
    else
      file.addFields(
        Math.floor(time / 1e9),
        time % 1e9,
        arrival % 3 === 1 ? [json.slice(1, 9), Buffer.from(json.slice(9))] : ['', json.slice(1), ''],
      );
  });
  const { size, sha256, deflated } = await file.finish();
  // Z_SYNC_FLUSH: its stream has no end of its own.
  const bytes = deflated
    ? inflateRawSync(await readFile(deflated.path), { finishFlush: constants.Z_SYNC_FLUSH })
    : await readFile(path);
  if (deflated) t.is(deflated.crc32, crc32(bytes));
  const lines = bytes.toString('utf8').split('\n').slice(0, -1);
  const got = lines.map((line) => JSON.parse(line) as { seq: number; time: number; arrival: number; text: string });
  const expected = rows.map(({ time }, arrival) => ({ time, arrival })).sort((a, b) => a.time - b.time);
  t.deepEqual(
    got.map(({ seq, time, arrival }) => ({ seq, time, arrival })),
    expected.map((row, seq) => ({ seq, ...row })),
  );
  t.true(got.every(({ arrival, text }) => text === textOf(rows[arrival]?.length ?? 0)));
  t.is(size, bytes.length);
  t.is(sha256, createHash('sha256').update(bytes).digest('hex'));
  return deflated !== undefined;
}

/** So many bytes, or one less. */
function textOf(bytes: number): string {
  return 'ä'.repeat(Math.floor(bytes / 2));
}

/** By this process so far, as the kernel counts it (proc_pid_io(5)); 0 where it tells nothing. */
function bytesRead(): number {
  if (process.platform !== 'linux') return 0;
  return Number(/^rchar: (\d+)$/m.exec(readFileSync('/proc/self/io', 'latin1'))?.[1]);
}
