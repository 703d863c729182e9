import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import test, { type ExecutionContext } from 'ava';
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

test('two runs, each in order and one behind the other, are merged without reading all of it for each line', async (t) => {
  const half = Array.from({ length: 20_000 }, (_, index) => ({ time: index, length: 500 }));
  const started = performance.now();
  await assertSorted(t, [...half, ...half]);
  // Some 30 MB. Reading 8 MiB a line, as it once did, takes more than 20 s.
  t.true(performance.now() - started < 10_000);
});

async function assertSorted(t: ExecutionContext, rows: readonly { time: number; length: number }[]): Promise<void> {
  const path = join(await temporaryFolder(t), 'handshakes.ndjson');
  const file = new TimelineFile(path);
  rows.forEach(({ time, length }, arrival) => {
    file.addJson(BigInt(time), JSON.stringify({ time, arrival, text: textOf(length) }));
  });
  const { size, sha256 } = await file.finish();
  const bytes = await readFile(path);
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
}

/** So many bytes, or one less. */
function textOf(bytes: number): string {
  return 'ä'.repeat(Math.floor(bytes / 2));
}
