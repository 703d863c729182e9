import test from 'ava';
import fc from 'fast-check';
import type { CapturedHello } from '../../../src/pcap/hello/captured-hello.js';
import { helloRow } from '../../../src/pcap/hello/hello-row.js';
import { HelloRowJson } from '../../../src/pcap/hello/hello-row-json.js';
import { ReorderWindow } from '../../../src/pcap/hello/reorder-window.js';
import type { TextPart } from '../../../src/text-parts.js';
import { formatTimeNs, parseTimeNs, TimeText } from '../../../src/snapshot/time-text.js';
import { FingerprintCache } from '../../../src/tls/fingerprint-cache.js';
import type { HelloEnds } from '../../../src/pcap/flow/hello-extractor.js';
import { extract } from '../captures.js';
import { flowEnds } from '../flow/flow-ends.js';
import { readFixture } from '../tshark.js';

const FIXTURES = ['clients.pcapng', 'hello-retry.pcapng', 'quic.pcapng', 'dtls.pcapng', 'big-hello.pcap'];

test('the fast way to JSON gives what stringifying the row gives, for real and for damaged hellos', (t) => {
  const hellos = FIXTURES.flatMap(hellosOf);
  const [fast, cache] = [new HelloRowJson(), new FingerprintCache()];
  const same = (hello: KeptHello, ends: HelloEnds): void => {
    const [seconds, nanos] = parts(hello.timeNs);
    t.is(joined(fast.fields(seconds, nanos, hello, ends)), JSON.stringify(helloRow(hello, ends, cache)));
  };
  // Twice: the second time from what is remembered.
  for (const [hello, ends] of [...hellos, ...hellos]) same(hello, ends);
  fc.assert(
    fc.property(
      fc.constantFrom(...hellos),
      fc.nat(600),
      fc.nat(255),
      fc.nat(2400),
      fc.boolean(),
      ([hello, ends], at, value, length, cut) => {
        const raw = Buffer.from(cut ? hello.raw.subarray(0, length) : hello.raw);
        if (at < raw.length) raw[at] = value;
        same({ ...hello, raw, error: cut ? 'cut "short"' : null }, ends);
      },
    ),
    { numRuns: 3000 },
  );
});

test('the fast way gives the same for every time, address, port and number', (t) => {
  const hellos = hellosOf('clients.pcapng');
  const [fast, cache] = [new HelloRowJson(), new FingerprintCache()];

  const numbers = fc.record({
    timeNs: fc.oneof(fc.bigInt({ min: 0n, max: 2n ** 61n }), fc.bigInt({ min: 0n, max: 2n ** 90n })),
    segments: fc.nat(2 ** 32 - 1),
    records: fc.nat(2 ** 32 - 1),
    streamOffset: fc.option(fc.maxSafeNat()),
    afterRetry: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.constantFrom(...hellos), numbers, flowEnds(), flowEnds(), ([real], other, from, to) => {
      const hello = { ...real, ...other };
      const [seconds, nanos] = parts(hello.timeNs);
      const ends = { from, to };
      t.is(joined(fast.fields(seconds, nanos, hello, ends)), JSON.stringify(helloRow(hello, ends, cache)));
    }),
  );
});

test('times are those of Date, with nine digits, and can be read back', (t) => {
  const times = new TimeText();
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 253_402_300_799_999_999_999n }), (timeNs) => {
      const text = times.of(...parts(timeNs));
      t.is(text, formatTimeNs(timeNs));
      t.is(text.slice(0, 23), new Date(Number(timeNs / 1_000_000n)).toISOString().slice(0, 23));
      t.is(parseTimeNs(text), timeNs);
    }),
  );
  t.is(times.of(...parts(2n ** 80n)), '9999-12-31T23:59:59.999999999Z');
  t.is(formatTimeNs(-1n), '1970-01-01T00:00:00.000000000Z');
});

test('rows that come late by less than half the window come out in order, equal times as they came', (t) => {
  fc.assert(
    fc.property(fc.array(fc.nat(9), { maxLength: 200 }), (late) => {
      const out: number[][] = [];
      const window = new ReorderWindow((seconds, nanos, item) => out.push([seconds, nanos, item]), 64);
      const times = late.map((by, index) => Math.max(0, index - by));
      const items = times.map((time, index) => [Math.floor(time / 3), time % 3, index] as const);
      for (const [seconds, nanos, index] of items) window.add(seconds, nanos, index);
      window.end();
      t.deepEqual(
        out,
        items.toSorted(([a, b], [c, d]) => a - c || b - d),
      );
    }),
  );
});

test('the window passes on the earlier half when it is full or told to, and in the end all', (t) => {
  const out: number[] = [];
  const window = new ReorderWindow((seconds, _, item) => out.push(seconds + item), 8);
  for (let index = 8; index > 0; index--) window.add(index, 0, 0);
  t.deepEqual(out, [1, 2, 3, 4]);
  window.passHalf();
  window.passHalf();
  t.deepEqual(out, [1, 2, 3, 4, 5, 6, 7]);
  window.end();
  window.passHalf();
  t.deepEqual(out, [1, 2, 3, 4, 5, 6, 7, 8]);
});

type KeptHello = CapturedHello & { readonly raw: Buffer };

function parts(timeNs: bigint): [seconds: number, nanos: number] {
  return [Number(timeNs / 1_000_000_000n), Number(timeNs % 1_000_000_000n)];
}

function joined(fields: readonly TextPart[]): string {
  return `{${fields.map((part) => (typeof part === 'string' ? part : Buffer.from(part).toString())).join('')}`;
}

function hellosOf(name: string): [KeptHello, HelloEnds][] {
  const hellos: [KeptHello, HelloEnds][] = [];
  extract(readFixture(name), (hello, ends) => hellos.push([{ ...hello, raw: Buffer.from(hello.raw) }, ends]));
  return hellos;
}
