import test from 'ava';
import fc from 'fast-check';
import type { HelloEnds } from '../../../src/pcap/flow/hello-extractor.js';
import type { CapturedHello } from '../../../src/pcap/hello/captured-hello.js';
import { HelloBatch, roomFor } from '../../../src/pcap/hello/hello-batch.js';
import { flowEnds } from '../flow/flow-ends.js';

// What comes out must be what went in: the input is its own expected value.

test('hellos come out of a batch as they went in, whatever they hold', (t) => {
  fc.assert(
    fc.property(fc.array(fc.tuple(hello, ends), { maxLength: 20 }), (hellos) => {
      const bytes = new SharedArrayBuffer(hellos.reduce((sum, [one]) => sum + roomFor(one), 0));
      const batch = new HelloBatch(bytes);
      for (const [one, between] of hellos) t.true(batch.add(one, between));
      t.is(batch.count, hellos.length);
      t.deepEqual(read(bytes, batch.used), hellos);
    }),
  );
});

test('a hello for which there is no room is refused, and the batch stays as it was', (t) => {
  fc.assert(
    fc.property(hello, hello, ends, fc.nat(200), (first, second, between, short) => {
      const least = roomFor(first) + roomFor(second) - 1 - short;
      const batch = new HelloBatch(new SharedArrayBuffer(Math.max(roomFor(first), least)));
      t.true(batch.add(first, between));
      const { used } = batch;
      t.is(batch.add(second, between), batch.used > used);
    }),
  );
});

function read(bytes: SharedArrayBuffer, used: number): [CapturedHello, HelloEnds][] {
  const hellos: [CapturedHello, HelloEnds][] = [];
  const batch = new HelloBatch(bytes);
  batch.each(used, (seconds, nanos, at) => {
    const { hello: one, ends: between } = batch.read(at);
    const timeNs = BigInt(seconds) * 1_000_000_000n + BigInt(nanos);
    hellos.push([{ ...one, raw: Uint8Array.from(one.raw), timeNs }, between]);
  });
  return hellos;
}

const end = flowEnds();
const ends: fc.Arbitrary<HelloEnds> = fc.record({ from: end, to: end });
const hello: fc.Arbitrary<CapturedHello> = fc.record({
  kind: fc.constantFrom('client', 'server'),
  transport: fc.constantFrom('tcp', 'quic', 'dtls'),
  raw: fc.uint8Array({ maxLength: 3000 }),
  complete: fc.boolean(),
  segments: fc.nat(),
  records: fc.nat(),
  streamOffset: fc.option(fc.maxSafeNat()),
  sslv2: fc.boolean(),
  afterRetry: fc.boolean(),
  error: fc.option(fc.string({ unit: 'grapheme', maxLength: 80 })),
  // Seconds are kept as a double.
  timeNs: fc.bigInt({ min: 0n, max: 2n ** 53n * 1_000_000_000n }),
});
