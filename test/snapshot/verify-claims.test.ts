import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import type { PackEntry } from '../../src/snapshot/pack.js';
import type { Handshake } from '../../src/snapshot/schema/handshake.js';
import type { Finding } from '../../src/snapshot/verification.js';
import { verifySnapshot } from '../../src/snapshot/verify.js';
import { linesOf, membersOf, packedBytes, signedClaim } from './repack.js';
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

test('an import with a host, or with rows of which only a host can know', async (t) => {
  const members = await membersOfSample(t);
  const host = await signedClaim(members, {}, (manifest) => (manifest.source = 'pcap'));
  t.deepEqual(await found(t, host), [
    { check: 'manifest', place: 'manifest.json', problem: '/members lists host.json, which no imported capture has' },
  ]);
  const withoutHost = members.filter(({ path }) => path !== 'host.json');
  const imported = { role: null, process: null, kernel: null };
  for (const [hidden, places] of [
    [{ process: null, kernel: null }, ['handshakes.ndjson seq 1']],
    [{ role: null, kernel: null }, ['handshakes.ndjson seq 1']],
    [{ role: null, process: null }, ['handshakes.ndjson seq 1']],
    [imported, []],
  ] as const) {
    const rows = linesOf(members).map((line, seq) => {
      const row = { ...(JSON.parse(line) as Handshake), ...(seq === 0 ? imported : hidden) };
      return `${JSON.stringify(row)}\n`;
    });
    const claimed = await signedClaim(withoutHost, { 'handshakes.ndjson': rows.join('') }, (manifest) => {
      manifest.source = 'pcap';
      manifest.members = manifest.members.filter(({ path }) => path !== 'host.json');
      manifest.coverage.hellosWithoutProcess = rows.filter((row) => row.includes('"process":null')).length;
    });
    const all = await found(t, claimed);
    t.deepEqual(
      all.map(({ place }) => place),
      places,
    );
    t.true(all.every(({ check, problem }) => check === 'timeline' && problem.startsWith('has a process, role or ')));
  }
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
