import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import test, { type ExecutionContext } from 'ava';
import type { PackEntry } from '../../src/snapshot/pack.js';
import type { Handshake } from '../../src/snapshot/schema/handshake.js';
import type { Manifest } from '../../src/snapshot/schema/manifest.js';
import type { Finding } from '../../src/snapshot/verification.js';
import { verifySnapshot } from '../../src/snapshot/verify.js';
import { reasonAgainstCommands, testUnless } from '../left-out.js';
import { oneTimeSigner } from '../../src/snapshot/signer.js';
import {
  contentOf,
  linesOf,
  manifestText,
  membersOf,
  packedBytes,
  replaced,
  signedAnew,
  signedClaim,
} from './repack.js';
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

for (const [time, isMoment] of [
  ['2026-11-22T23:59:59', true],
  ['2028-02-29T00:00:00', true],
  ['2027-02-29T00:00:00', false],
  ['2028-02-30T00:00:00', false],
  ['2026-11-31T12:00:00', false],
  ['2026-13-01T12:00:00', false],
  ['2026-00-01T12:00:00', false],
  ['2026-11-00T12:00:00', false],
  ['2026-11-22T24:00:00', false],
  ['2026-11-22T23:60:00', false],
  ['2026-11-22T23:59:60', false],
  ['9999-99-99T99:99:99', false],
] as const) {
  testUnless(reasonAgainstCommands('date'), `a row at ${time}, which is ${isMoment ? 'a' : 'no'} moment`, async (t) => {
    const { exitCode } = await execa('date', ['--utc', '--date', `${time}Z`], { reject: false });
    t.is(exitCode === 0, isMoment);
    const members = await membersOfSample(t);
    const later = linesOf(members).map((line, seq) => (seq === 0 ? line : line.replace(/2026-11-22T[^.]*/, time)));
    const edited = await signedClaim(members, { 'handshakes.ndjson': later.join('') });
    t.deepEqual(
      new Set((await found(t, edited)).map(({ check, place }) => `${check} ${place}`)),
      new Set(isMoment ? [] : ['timeline handshakes.ndjson seq 1']),
    );
    const ended = await signedClaim(members, {}, ({ window }) => (window.end = `${time}.000000000Z`));
    t.is(
      (await found(t, ended)).some(({ check, place }) => check === 'manifest' && place === 'window.end'),
      !isMoment,
    );
  });
}

for (const [what, change, counts] of [
  ['a hello cut short', (row) => (row.hello.complete = false), { hellosTruncated: 1, hellosWithoutProcess: 0 }],
  ['a hello of nobody', (row) => (row.process = NOBODY), { hellosTruncated: 0, hellosWithoutProcess: 1 }],
  ['a hello without a process', (row) => (row.process = null), { hellosTruncated: 0, hellosWithoutProcess: 1 }],
] as readonly [string, (row: Handshake) => void, Pick<Manifest['coverage'], Counted>][]) {
  test(`coverage that does not count ${what}, or one too many`, async (t) => {
    const members = await membersOfSample(t);
    const [first = '', ...rest] = linesOf(members);
    const row = JSON.parse(first) as Handshake;
    change(row);
    const contents = { 'handshakes.ndjson': `${JSON.stringify(row)}\n${rest.join('')}` };
    const claimed = (stated: typeof counts) =>
      signedClaim(members, contents, ({ coverage }) => Object.assign(coverage, stated));
    t.deepEqual(await found(t, await claimed(counts)), []);
    for (const field of ['hellosTruncated', 'hellosWithoutProcess'] as const) {
      for (const wrong of [counts[field] + 1, 1 - counts[field]]) {
        t.deepEqual(
          (await found(t, await claimed({ ...counts, [field]: wrong }))).map(({ place }) => place),
          [`coverage.${field}`],
        );
      }
    }
  });
}

test('a field that is there twice in manifest.json or host.json', async (t) => {
  const members = await membersOfSample(t);
  const host = contentOf(members, 'host.json').toString();
  const twice = await signedClaim(members, { 'host.json': host.replace('{', '{"hostname":"other",') });
  t.deepEqual(await found(t, twice), [
    { check: 'schema', place: 'host.json', problem: 'an object has the key "hostname" twice' },
  ]);
  const signer = oneTimeSigner();
  const manifest = manifestText(await signedClaim(members, {})).replace('"source":', '"source":"pcap","source":');
  const signed = await signedAnew(replaced(members, { 'manifest.json': manifest }), signer, true);
  t.deepEqual(await found(t, signed), [
    { check: 'manifest', place: 'manifest.json', problem: 'an object has the key "source" twice' },
  ]);
});

test('of other rows than coverage counts only that is told', async (t) => {
  const members = await membersOfSample(t);
  const claimed = await signedClaim(members, {}, ({ coverage }) => {
    Object.assign(coverage, { events: 4, hellosTruncated: 1, reconciliation: null });
  });
  t.deepEqual(
    (await found(t, claimed)).map(({ place }) => place),
    ['coverage.events'],
  );
});

test('what says nothing but what is so passes', async (t) => {
  t.deepEqual(await found(t, await signedClaim(await membersOfSample(t), {})), []);
});

type Counted = 'hellosTruncated' | 'hellosWithoutProcess';

const NOBODY: Handshake['process'] = {
  pid: null,
  tid: null,
  startTimeNs: null,
  ppid: null,
  uid: null,
  gid: null,
  comm: null,
  threadComm: null,
  exe: null,
  cgroup: null,
  container: null,
  attribution: 'none',
  sender: null,
};

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
