import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import type { PackEntry } from '../../src/snapshot/pack.js';
import type { Finding } from '../../src/snapshot/verification.js';
import { verifySnapshot } from '../../src/snapshot/verify.js';
import { membersOf, packedBytes, signedClaim } from './repack.js';
import { temporaryFolder, writeSample } from './sample.js';

// Snapshots that are signed and packed as they should be, by somebody who says in them what is not so.

test('a size in the manifest that is not that of the member, though the digest is', async (t) => {
  const members = await membersOfSample(t);
  const edited = await signedClaim(members, {}, (manifest) => manifest.members.forEach((member) => (member.size += 1)));
  t.deepEqual(
    (await found(t, edited)).map(({ check, place }) => `${check} ${place}`),
    ['handshakes', 'fingerprints', 'processes', 'sockets']
      .map((name) => `members ${name}.ndjson`)
      .concat(['members host.json', 'members actions.ndjson']),
  );
});

test('what says nothing but what is so passes', async (t) => {
  t.deepEqual(await found(t, await signedClaim(await membersOfSample(t), {})), []);
});

async function membersOfSample(t: ExecutionContext): Promise<PackEntry[]> {
  return membersOf((await writeSample(await temporaryFolder(t))).path);
}

/** All findings, with their checks. */
async function found(t: ExecutionContext, members: readonly PackEntry[]): Promise<(Finding & { check: string })[]> {
  const path = join(await temporaryFolder(t), 'it.tlsnap.tar.gz');
  await writeFile(path, await packedBytes(members));
  const { checks } = await verifySnapshot(path);
  return checks.flatMap(({ check, findings }) => findings.map((finding) => ({ check, ...finding })));
}
