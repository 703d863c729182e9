import { createHash } from 'node:crypto';
import type { ExecutionContext } from 'ava';
import { testUnless } from '../left-out.js';
import { reasonAgainstTshark } from '../pcap/tshark.js';
import {
  bitFlips,
  craftedHellos,
  distinct,
  everyNumber,
  type KnownHello,
  packetHellos,
  recordedHellos,
  truncations,
} from './hellos.js';
import { assertAgrees, assertAsRead } from './judge.js';
import { reasonAgainstUnits, runUnits } from './units.js';

// JA3 as the BPF programs make it, of hellos of real clients and of such as nobody sends.

const reason = reasonAgainstUnits();

testUnless(
  reason,
  'every recorded hello has in the kernel the JA3 that tshark read, unless it is longer than 2 kB',
  (t) => areAsRead(t, recordedHellos()),
);

testUnless(
  reason ?? reasonAgainstTshark(),
  'every hello of the recorded packets has in the kernel the JA3 that tshark reads',
  async (t) => areAsRead(t, await packetHellos()),
);

testUnless(reason, 'a program that stops earlier makes the same string, and the digests that it makes', async (t) => {
  const messages = recordedHellos().map(({ message }) => message);
  const both = await runUnits(t, 'unit_ja3_both', messages);
  const md5 = await runUnits(t, 'unit_ja3_md5', messages);
  const string = await runUnits(t, 'unit_ja3_string', messages);
  t.deepEqual(
    md5.map((result) => [result.returned, result.md5]),
    both.map((result) => [result.returned, result.md5]),
  );
  for (const [index, { returned, string: text }] of string.entries()) {
    t.is(both[index]?.returned, returned);
    if (returned === 0) t.is(both[index]?.md5, createHash('md5').update(text).digest('hex'));
  }
});

testUnless(
  reason ?? reasonAgainstTshark(),
  'of every truncation of every hello of the fixtures the kernel says what user space says, or nothing',
  async (t) => {
    const messages = distinct([...recordedHellos(), ...(await packetHellos())]).flatMap(truncations);
    t.true(messages.length > 30_000);
    assertAgrees(t, messages, await runUnits(t, 'unit_ja3_both', messages));
  },
);

testUnless(reason, 'with any one bit turned the kernel says what user space says, or nothing', async (t) => {
  const messages = distinct(recordedHellos()).flatMap((message) => bitFlips(message));
  t.true(messages.length > 80_000);
  const hashed = assertAgrees(t, messages, await runUnits(t, 'unit_ja3_both', messages));
  // Most bits of a hello are in its random, its keys and its padding, where they change nothing.
  t.true(hashed > messages.length * 0.6, `${hashed} of ${messages.length} were hashed`);
});

testUnless(reason, 'all 65,536 numbers are written in decimal as they should', async (t) => {
  const messages = everyNumber();
  t.is(assertAgrees(t, messages, await runUnits(t, 'unit_ja3_both', messages)), messages.length);
});

testUnless(reason, 'hellos at the bounds are hashed up to them, and left to user space beyond', async (t) => {
  const crafted = craftedHellos();
  const messages = [...crafted.values()];
  const results = await runUnits(t, 'unit_ja3_both', messages);
  assertAgrees(t, messages, results);
  const left = [...crafted.keys()].filter((_, index) => results[index]?.returned !== 0);
  t.deepEqual(left, LEFT_TO_USER_SPACE);
});

testUnless(reason, 'bits turned in the made hellos change nothing in that', async (t) => {
  const messages = [...craftedHellos().values()]
    .filter(({ length }) => length < 400)
    .flatMap((message) => bitFlips(message));
  assertAgrees(t, messages, await runUnits(t, 'unit_ja3_both', messages));
});

async function areAsRead(t: ExecutionContext, hellos: readonly KnownHello[]): Promise<void> {
  const messages = hellos.map(({ message }) => message);
  assertAsRead(t, hellos, await runUnits(t, 'unit_ja3_both', messages));
}

/** GREASE has no text there; then what tells the kernel's bounds: 96 cipher suites and groups, 40 extensions, 4 point formats, 2048 bytes, a string of 1 kB. */
const LEFT_TO_USER_SPACE = [
  'one byte where the extension block would be',
  'a byte behind the extensions',
  'GREASE as the version',
  '97 cipher suites',
  '128 cipher suites',
  '500 cipher suites',
  '41 extensions',
  '80 extensions',
  '97 groups',
  '5 point formats',
  '255 point formats',
  '2049 bytes',
  '2060 bytes',
  '96 cipher suites and 96 groups: a string of 1 kB',
  'groups without a list',
  'groups of an odd length',
  'groups whose list is shorter than their extension',
  'groups whose list is longer than their extension',
  'groups twice',
  'groups twice, at first empty',
  'point formats without a list',
  'point formats whose list is shorter than their extension',
  'point formats whose list is longer than their extension',
  'point formats twice',
  'cipher suites of an odd length',
  'a ServerHello',
  'a header alone',
  'a message longer than it says',
  'a message of 16 MB by its own word',
];
