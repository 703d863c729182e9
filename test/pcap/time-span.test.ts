import test from 'ava';
import fc from 'fast-check';
import { NO_CLOCK, secondsClock, tickClock } from '../../src/pcap/file/captured-packet.js';
import { TimeSpan } from '../../src/pcap/time-span.js';

test('the span of packets in any order and of any clocks goes from the earliest time to the latest', (t) => {
  const clocks = [secondsClock(1000), secondsClock(1), tickClock(1_000_000n, 0n), tickClock(10n, -3n)];
  const packet = fc.record({
    clock: fc.constantFrom(...clocks),
    timeHigh: fc.integer({ min: 0, max: 3 }),
    timeLow: fc.integer({ min: 0, max: 999_999 }),
  });
  fc.assert(
    fc.property(fc.array(packet, { minLength: 1, maxLength: 20 }), (packets) => {
      const span = new TimeSpan();
      for (const each of packets) span.note(each);
      const times = packets.map(({ clock, timeHigh, timeLow }) => clock.toNs(timeHigh, timeLow)).sort(compare);
      t.deepEqual(span.ns(), { earliest: times[0] ?? 0n, latest: times.at(-1) ?? 0n });
    }),
  );
  t.is(new TimeSpan().ns(), null);
});

test('packets without a time are counted, and are in no span', (t) => {
  const span = new TimeSpan();
  const clock = secondsClock(1000);
  span.note({ clock: NO_CLOCK, timeHigh: 0, timeLow: 0 });
  t.is(span.ns(), null);
  for (const timeHigh of [5, 7]) {
    span.note({ clock, timeHigh, timeLow: 0 });
    span.note({ clock: NO_CLOCK, timeHigh, timeLow: 0 });
  }
  t.deepEqual(span.ns(), { earliest: 5_000_000_000n, latest: 7_000_000_000n });
  t.is(span.untimed, 3);
});

const compare = (one: bigint, other: bigint): number => (one < other ? -1 : one > other ? 1 : 0);
