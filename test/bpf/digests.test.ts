import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { reasonAgainstCommands, testUnless } from '../left-out.js';
import type { UnitResult } from './runner.js';
import { bytesOf, opensslDigests, reasonAgainstUnits, runUnits, temporaryDirectory } from './units.js';

// MD5 and SHA-256 as the BPF programs make them. What they must be is what openssl(1) says of the same bytes.

const reason = reasonAgainstUnits() ?? reasonAgainstCommands('openssl');
/** One less than TLSNAP_JA3_STRING_MAX. */
const LONGEST = 1023;

testUnless(reason, 'MD5 and SHA-256 are those of openssl for every length from 0 to 1023', async (t) => {
  await assertDigests(
    t,
    Array.from({ length: LONGEST + 1 }, (_, length) => bytesOf(length, length)),
  );
});

testUnless(
  reason,
  'MD5 and SHA-256 are those of openssl for bytes all zero, all one, and around each block',
  async (t) => {
    const lengths = [1, 54, 55, 56, 57, 63, 64, 65, 118, 119, 120, 127, 128, 129, 1015, 1016, LONGEST];
    await assertDigests(
      t,
      lengths.flatMap((length) => [Buffer.alloc(length), Buffer.alloc(length, 0xff), Buffer.alloc(length, 0x80)]),
    );
  },
);

testUnless(reason, 'a string with no room for its padding is refused', async (t) => {
  const results = await runUnits(t, 'unit_digests', [Buffer.alloc(LONGEST + 1), Buffer.alloc(2000)]);
  for (const { returned, md5 } of results) {
    t.is(returned, -1);
    t.regex(md5, /^(a5)+$/, 'something was hashed');
  }
});

async function assertDigests(t: ExecutionContext, inputs: readonly Uint8Array[]): Promise<void> {
  const results = await runUnits(t, 'unit_digests', inputs);
  const directory = await temporaryDirectory(t);
  const names = inputs.map((_, index) => String(index));
  await Promise.all(inputs.map((input, index) => writeFile(join(directory, String(index)), input)));
  const [md5, sha256] = await Promise.all([
    opensslDigests(directory, 'md5', names),
    opensslDigests(directory, 'sha256', names),
  ]);
  t.deepEqual(
    results.map(digestsOf),
    inputs.map((_, index) => [0, md5[index], sha256[index]]),
  );
}

function digestsOf({ returned, md5, sha256 }: UnitResult): [number, string, string] {
  return [returned, md5, sha256];
}
