import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import test from 'ava';
import { compose } from '../../src/capture/compose.js';
import { oneTimeSigner } from '../../src/snapshot/signer.js';
import { verifySnapshot } from '../../src/snapshot/verify.js';
import { readCaptured } from '../kernel/live.js';
import { temporaryFolder } from '../snapshot/sample.js';
import { bootTimeOf, numberIn, writeHour, type Hour } from './made-hour.js';

// Some minutes of a window at 200 handshakes a second, by a test's clock; bench/hour.ts does a whole hour.

const HOUR: Hour = { handshakes: 24_000, perSecond: 200, unanswered: 10, ownProcess: 1 };

test('a long window takes no more memory than a short one, and its rows are in order and at their times', async (t) => {
  t.timeout(120_000);
  const folder = await temporaryFolder(t);
  const [spool, output] = [join(folder, 'x.spool'), join(folder, 'x')];
  const window: number[] = [];
  writeHour(spool, HOUR, () => window.push(heapBytes()));
  t.is(window.length, 2);
  t.true(spread(window) < 2 * MIB, `heap in the window: ${window.join(', ')}`);

  const composing: number[] = [];
  let rows = 0;
  const onHello = (): void => {
    if (++rows % 9_000 === 0) composing.push(heapBytes());
  };
  await compose({ spool, output, signer: oneTimeSigner(), encryptTo: [], removesSpool: true, onHello });
  t.is(rows, HOUR.handshakes * 1.9);
  // What a connection that nobody answered keeps until there are 65,536 of them: less than a kilobyte.
  const unanswered = (HOUR.handshakes * HOUR.unanswered) / 100;
  t.true(spread(composing) < 2 * MIB + unanswered * 1024, `heap while composing: ${composing.join(', ')}`);

  t.true((await verifySnapshot(output)).ok);
  const { handshakes } = await readCaptured(output);
  t.deepEqual(
    handshakes.map(({ seq }) => seq),
    Array.from({ length: rows }, (_, seq) => seq),
  );
  const clients = handshakes.filter(({ kind }) => kind === 'client');
  t.deepEqual(
    clients.map(({ bootTimeNs, hello }) => [bootTimeNs, numberIn(Buffer.from(hello.raw, 'base64'))]),
    Array.from({ length: HOUR.handshakes }, (_, number) => [String(bootTimeOf(number, HOUR)), number]),
  );
  // START's clocks are 09:20:08 at a boot time of one second: the first is a second later, the last 120 s less 5 ms after it.
  t.is(clients[0]?.time, '2026-11-22T09:20:09.000000000Z');
  t.is(clients.at(-1)?.time, '2026-11-22T09:22:08.995000000Z');
});

function spread(values: readonly number[]): number {
  return Math.max(...values) - Math.min(...values);
}

/** What is really in use. */
function heapBytes(): number {
  collectGarbage();
  return process.memoryUsage().heapUsed;
}

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;
const MIB = 2 ** 20;
