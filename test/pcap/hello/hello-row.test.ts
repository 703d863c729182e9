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
import { readFixture } from '../tshark.js';

const FIXTURES = ['clients.pcapng', 'hello-retry.pcapng', 'quic.pcapng', 'dtls.pcapng', 'big-hello.pcap'];

test('the fast way to JSON gives what stringifying the row gives, for real and for damaged hellos', (t) => {
  const hellos = FIXTURES.flatMap(hellosOf);
  const [fast, cache] = [new HelloRowJson(), new FingerprintCache()];
  const same = (hello: CapturedHello, ends: HelloEnds): void => {
    t.is(joined(fast.fields(hello, ends)), JSON.stringify(helloRow(hello, ends, cache)));
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

test('times are those of Date, with nine digits, and can be read back', (t) => {
  const text = new TimeText();
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 253_402_300_799_999_999_999n }), (timeNs) => {
      t.is(text.of(timeNs), formatTimeNs(timeNs));
      t.is(text.of(timeNs).slice(0, 23), new Date(Number(timeNs / 1_000_000n)).toISOString().slice(0, 23));
      t.is(parseTimeNs(text.of(timeNs)), timeNs);
    }),
  );
  t.is(text.of(2n ** 80n), '9999-12-31T23:59:59.999999999Z');
  t.is(text.of(-1n), '1970-01-01T00:00:00.000000000Z');
});

test('rows that come late by less than half the window come out in order, equal times as they came', (t) => {
  fc.assert(
    fc.property(fc.array(fc.nat(9), { maxLength: 200 }), (late) => {
      const out: [bigint, string][] = [];
      const window = new ReorderWindow<string>((timeNs, json) => out.push([timeNs, json]), 64);
      const times = late.map((by, index) => BigInt(Math.max(0, index - by)));
      times.forEach((timeNs, index) => window.add(timeNs, String(index), 1));
      window.end();
      const wanted = times.map((timeNs, index) => [timeNs, String(index)] as [bigint, string]);
      wanted.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
      t.deepEqual(out, wanted);
    }),
  );
});

test('the window holds no more weight than it may', (t) => {
  let passed = 0;
  const window = new ReorderWindow<string>(() => passed++, 1000, 100);
  for (let index = 0; index < 50; index++) window.add(BigInt(index), 'x', 60);
  t.true(passed >= 48);
});

function joined(fields: readonly TextPart[]): string {
  return `{${fields.map((part) => (typeof part === 'string' ? part : Buffer.from(part).toString())).join('')}`;
}

function hellosOf(name: string): [CapturedHello, HelloEnds][] {
  const hellos: [CapturedHello, HelloEnds][] = [];
  extract(readFixture(name), (hello, ends) => hellos.push([{ ...hello, raw: Buffer.from(hello.raw) }, ends]));
  return hellos;
}
