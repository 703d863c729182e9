import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import test, { type ExecutionContext } from 'ava';
import { execa } from 'execa';
import { TlsnapError } from '../../src/errors.js';
import { parseAllowedSigners } from '../../src/snapshot/allowed-signers.js';
import type { PackEntry } from '../../src/snapshot/pack.js';
import { oneTimeSigner } from '../../src/snapshot/signer.js';
import { publicKeyLine } from '../../src/snapshot/ssh-key.js';
import type { CheckName, Finding, Verification } from '../../src/snapshot/verification.js';
import { verifySnapshot } from '../../src/snapshot/verify.js';
import { reasonAgainstCommands, testUnless } from '../left-out.js';
import {
  contentOf,
  END,
  linesOf,
  manifestText,
  membersOf,
  packedBytes,
  replaced,
  resealed,
  signedAnew,
  TOP,
} from './repack.js';
import { temporaryFolder, writeSample } from './sample.js';

test('a snapshot as it was written passes every check', async (t) => {
  const { path, manifestSha256 } = await writeSample(await temporaryFolder(t));
  const result = await verifySnapshot(path);
  t.deepEqual(failures(result), {});
  t.true(result.ok);
  t.is(result.manifestSha256, manifestSha256);
  t.is(result.handshakes, 3);
  t.is(result.signer?.source, 'one-time');
});

test('a snapshot in the order of stdout passes every check', async (t) => {
  const members = await membersOfSample(t);
  const result = await verifySnapshot(await packed(t, [...members.slice(3), ...members.slice(0, 3)]));
  t.deepEqual(failures(result), {});
});

testUnless(
  reasonAgainstCommands('ssh-keygen', 'tar'),
  'ssh-keygen -Y verify accepts the extracted manifest, and verify names the same signer',
  async (t) => {
    const folder = await temporaryFolder(t);
    const signer = oneTimeSigner();
    const { path } = await writeSample(folder, { signer });
    const allowed = `alice@example.org ${publicKeyLine(signer.publicKey)}\n`;
    await writeFile(join(folder, 'allowed'), allowed);
    await execa('tar', ['-xzf', path, '--strip-components=1', '-C', folder]);
    const { stdout } = await execa(
      'ssh-keygen',
      ['-Y', 'verify', '-n', 'tlsnap', '-f', 'allowed', '-I', 'alice@example.org', '-s', 'manifest.json.sig'],
      { cwd: folder, inputFile: join(folder, 'manifest.json') },
    );
    t.regex(stdout, /^Good "tlsnap" signature for alice@example\.org with ED25519 key SHA256:/);

    const result = await verifySnapshot(path, { allowedSigners: parseAllowedSigners(allowed, 'allowed') });

    t.deepEqual(result.signer?.principals, ['alice@example.org']);
    t.true(stdout.endsWith(result.signer?.fingerprint ?? 'none'));
  },
);

testUnless(
  reasonAgainstCommands('ssh-keygen', 'tar'),
  'a manifest signed with ssh-keygen -Y sign passes',
  async (t) => {
    const folder = await temporaryFolder(t);
    await execa('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', '', '-f', join(folder, 'key')]);
    const members = await membersOfSample(t);
    const line = await readFile(join(folder, 'key.pub'), 'utf8');
    const listed = await execa('ssh-keygen', ['-l', '-f', join(folder, 'key')]);
    const manifest = JSON.parse(contentOf(members, 'manifest.json').toString()) as { signer: object };
    manifest.signer = { source: 'file', type: 'ssh-ed25519', fingerprint: listed.stdout.split(' ')[1], comment: null };
    await writeFile(join(folder, 'manifest.json'), JSON.stringify(manifest));
    await execa('ssh-keygen', ['-q', '-Y', 'sign', '-n', 'tlsnap', '-f', 'key', 'manifest.json'], { cwd: folder });
    const changed = replaced(members, {
      'manifest.json': await readFile(join(folder, 'manifest.json')),
      'manifest.json.sig': await readFile(join(folder, 'manifest.json.sig')),
      'signer.pub': `${line.trim()}\n`,
    });
    t.deepEqual(failures(await verifySnapshot(await packed(t, changed))), {});
  },
);

test('a key that is not allowed fails the check of the signer only', async (t) => {
  const { path } = await writeSample(await temporaryFolder(t));
  const allowed = parseAllowedSigners(`alice ${publicKeyLine(oneTimeSigner().publicKey)}`, 'allowed');
  const result = await verifySnapshot(path, { allowedSigners: allowed });
  t.false(result.ok);
  t.deepEqual(Object.keys(failures(result)), ['signer']);
});

/** Tampering by somebody who packs the snapshot anew, seal and all: what is to fail, and the place it names. */
const TAMPERINGS: readonly [
  what: string,
  change: (members: PackEntry[]) => PackEntry[] | Promise<PackEntry[]>,
  check: CheckName,
  place: RegExp,
][] = [
  [
    'the last line removed',
    (members) => replaced(members, { 'handshakes.ndjson': linesOf(members).slice(0, -1).join('') }),
    'members',
    /^handshakes\.ndjson$/,
  ],
  [
    'a line of the timeline moved',
    (members) => replaced(members, { 'handshakes.ndjson': linesOf(members).reverse().join('') }),
    'timeline',
    /^handshakes\.ndjson seq 2$/,
  ],
  [
    'a JA3 changed',
    (members) =>
      replaced(members, {
        'handshakes.ndjson': linesOf(members)
          .join('')
          .replace(/"ja3":"\w/, '"ja3":"0'),
      }),
    'fingerprints',
    /^handshakes\.ndjson seq 0$/,
  ],
  [
    'a server name changed',
    (members) =>
      replaced(members, { 'handshakes.ndjson': linesOf(members).join('').replace('"example.org"', '"example.com"') }),
    'fingerprints',
    /^handshakes\.ndjson seq 0$/,
  ],
  [
    'a field of another type',
    (members) => replaced(members, { 'processes.ndjson': '{"pid":"1"}\n' }),
    'schema',
    /^processes\.ndjson line 1$/,
  ],
  ['a member emptied', (members) => replaced(members, { 'sockets.ndjson': '' }), 'members', /^sockets\.ndjson$/],
  ['a member left out', (members) => members.filter(({ path }) => path !== 'actions.ndjson'), 'members', /^actions/],
  [
    'a member added',
    (members) => [...members, { path: `executables/${'0'.repeat(64)}`, content: Buffer.from('x') }],
    'members',
    /^executables\/0+$/,
  ],
  [
    'two members swapped',
    (members) =>
      replaced(members, {
        'sockets.ndjson': contentOf(members, 'actions.ndjson'),
        'actions.ndjson': contentOf(members, 'sockets.ndjson'),
      }),
    'members',
    /^sockets\.ndjson$/,
  ],
  ['members in another order', (members) => [...members].reverse(), 'container', /order of members/],
  [
    'the manifest changed',
    (members) =>
      replaced(members, { 'manifest.json': contentOf(members, 'manifest.json').toString().replace('C-1', 'C-2') }),
    'signature',
    /^manifest\.json\.sig$/,
  ],
  ['the signature by another key', (members) => signedAnew(members, oneTimeSigner(), false), 'signer', /^signer\.pub$/],
  [
    'the signature and the key by another key',
    (members) => signedAnew(members, oneTimeSigner(), true),
    'signer',
    /signer$/,
  ],
  [
    'a signature for another purpose',
    (members) => signedAnew(members, oneTimeSigner(), true, 'git'),
    'signature',
    /^manifest\.json\.sig$/,
  ],
  ['no signature', (members) => members.filter(({ path }) => path !== 'manifest.json.sig'), 'signature', /\.sig$/],
  ['no key', (members) => members.filter(({ path }) => path !== 'signer.pub'), 'signer', /^signer\.pub$/],
  [
    'coverage that hides an event',
    (members) => replaced(members, { 'manifest.json': manifestText(members).replace('"events": 3', '"events": 2') }),
    'coverage',
    /^coverage\.events$/,
  ],
];

for (const [what, change, check, place] of TAMPERINGS) {
  test(`fails at its place: ${what}`, async (t) => {
    const result = await verifySnapshot(await packed(t, await change(await membersOfSample(t))));
    t.false(result.ok);
    const anyOf = new RegExp(place, 'm');
    t.regex(failures(result)[check]?.join('\n') ?? `nothing, but ${JSON.stringify(failures(result))}`, anyOf);
  });
}

test('another folder, another time and another owner fail, though all members are right', async (t) => {
  const members = await membersOfSample(t);
  for (const [folder, time] of [
    ['web2-20261122T092008Z.tlsnap', END],
    [TOP, new Date(0)],
  ] as const) {
    t.deepEqual(Object.keys(failures(await verifySnapshot(await packed(t, members, folder, time)))), ['container']);
  }
  const folder = await temporaryFolder(t);
  const { path } = await writeSample(folder);
  await execa('tar', ['-xzf', path, '-C', folder]);
  const repacked = join(folder, 'repacked.tlsnap.tar.gz');
  const names = members.map((member) => `${TOP}/${member.path}`);
  await execa('tar', ['--format=ustar', '--owner=7', '-czf', repacked, '-C', folder, ...names]);
  const result = await verifySnapshot(repacked);
  t.deepEqual(Object.keys(failures(result)), ['container']);
});

test('a member of lines that are no rows is not looked at to its end, which is told', async (t) => {
  const members = await membersOfSample(t);
  const blank = '\n'.repeat(1_000_000);
  const lines = Array.from({ length: 16 }, (_, at) => `handshakes.ndjson line ${at + 2}`);
  const [first, ...rest] = linesOf(members);
  const timeline = await verifySnapshot(
    await packed(t, replaced(members, { 'handshakes.ndjson': [first, blank, ...rest].join('') })),
  );
  t.deepEqual(failures(timeline).schema, [...lines, 'handshakes.ndjson line 17']);
  t.regex(findingsOf(timeline, 'schema').at(-1)?.problem ?? '', /^the 16th line .* what follows was not looked at$/);
  // Neither is told of the rest of the timeline: that it is right, and that it is not there.
  t.deepEqual(
    timeline.checks.filter(({ ok, findingCount }) => !ok && findingCount === 0).map(({ check }) => check),
    ['timeline', 'fingerprints'],
  );
  t.deepEqual(Object.keys(failures(timeline)), ['members', 'schema']);
  t.is(timeline.handshakes, 1);

  const all = { 'fingerprints.ndjson': blank, 'processes.ndjson': blank, 'sockets.ndjson': blank + 'x'.repeat(5e6) };
  const others = await verifySnapshot(
    await packed(t, replaced(members, { ...all, 'actions.ndjson': `${blank.slice(0, 20)}x` })),
  );
  t.is(failures(others).schema?.length, 4 * 17);
  t.true(others.checks.find(({ check }) => check === 'timeline')?.ok);
});

test('bytes after the end, and content after the end of the tar, fail', async (t) => {
  const { path } = await writeSample(await temporaryFolder(t));
  const whole = await readFile(path);
  const inflated = gunzipSync(whole);
  for (const bytes of [
    Buffer.concat([whole, Buffer.of(0)]),
    Buffer.concat([whole, whole]),
    resealed(gzipSync(Buffer.concat([inflated, Buffer.from('hidden')]))),
    resealed(gzipSync(Buffer.concat([inflated, Buffer.alloc(512)]))),
    resealed(gzipSync(inflated.subarray(0, -1024))),
  ]) {
    const file = join(await temporaryFolder(t), 'it.tlsnap.tar.gz');
    await writeFile(file, bytes);
    t.true('container' in failures(await verifySnapshot(file)));
  }
});

test('each bit of a whole small snapshot counts', async (t) => {
  const folder = await temporaryFolder(t);
  const whole = await readFile((await writeSample(folder, { handshakes: 1 })).path);
  const random = randomNumbers('bits');
  const file = join(folder, 'flipped.tlsnap.tar.gz');
  // Every byte of the ends, where gzip's own fields and the seal are, and some of what lies between.
  const positions = [...Array(64).keys(), ...Array.from({ length: 120 }, (_, back) => whole.length - 1 - back)];
  while (positions.length < 350) positions.push(random(whole.length));
  for (const position of positions) {
    const bytes = Buffer.from(whole);
    bytes[position] = (bytes[position] ?? 0) ^ (1 << random(8));
    await writeFile(file, bytes);
    t.true('container' in failures(await verifySnapshot(file)), `byte ${position}`);
  }
});

test('each of 1000 random tamperings is noticed', async (t) => {
  const folder = await temporaryFolder(t);
  const original = await writeSample(folder, { handshakes: 20 });
  const whole = await readFile(original.path);
  const members = await membersOf(original.path);
  const random = randomNumbers('tamperings');
  const file = join(folder, 'tampered.tlsnap.tar.gz');
  for (let round = 0; round < 1000; round += 1) {
    const { what, bytes } = await tampered(whole, members, random);
    await writeFile(file, bytes);
    const result = await verifySnapshot(file);
    t.false(result.ok, `round ${round}: ${what}`);
    t.true(
      Object.values(failures(result)).every((places) => places.every((place) => place !== '')),
      what,
    );
  }
});

test('what is no snapshot, empty or from the future is an input error, not a finding', async (t) => {
  const folder = await temporaryFolder(t);
  const file = join(folder, 'file');
  for (const bytes of [
    Buffer.from('plain text'),
    Buffer.alloc(0),
    gzipSync('not a tar'),
    gzipSync(Buffer.alloc(2048)),
  ]) {
    await writeFile(file, bytes);
    const error = await t.throwsAsync(verifySnapshot(file), { instanceOf: TlsnapError, message: /not a snapshot/ });
    t.is(error.kind, 'input');
  }
  const signer = oneTimeSigner();
  const members = await membersOfSample(t);
  const future = replaced(members, { 'manifest.json': '{"format":"tlsnap","formatVersion":2}\n' });
  const path = await packed(t, await signedAnew(future, signer, true));
  await t.throwsAsync(verifySnapshot(path), { message: /format version 2; this tlsnap reads 1/ });
  const missing = await t.throwsAsync(verifySnapshot(join(folder, 'none')), { instanceOf: TlsnapError });
  t.is(missing.kind, 'io');
});

/** One tampering, at random: bytes of the file, or members packed and sealed anew. */
async function tampered(
  whole: Buffer,
  members: PackEntry[],
  random: (below: number) => number,
): Promise<{ what: string; bytes: Buffer }> {
  const at = random(whole.length);
  const kind = random(8);
  if (kind <= 2) {
    const bytes = Buffer.from(whole);
    bytes[at] = (bytes[at] ?? 0) ^ (1 << random(8));
    return { what: `bit of byte ${at}`, bytes };
  }
  if (kind === 3)
    return { what: `without byte ${at}`, bytes: Buffer.concat([whole.subarray(0, at), whole.subarray(at + 1)]) };
  if (kind === 4) return { what: `cut at ${at}`, bytes: whole.subarray(0, at) };
  const victim = members[random(members.length)];
  const content = Buffer.from(victim && Buffer.isBuffer(victim.content) ? victim.content : '');
  const path = victim?.path ?? '';
  if (kind === 5 && content.length > 0) {
    const place = random(content.length);
    content[place] = (content[place] ?? 0) ^ (1 << random(8));
    return {
      what: `bit of byte ${place} of ${path}`,
      bytes: await packedBytes(replaced(members, { [path]: content })),
    };
  }
  if (kind === 6 && content.length > 0) {
    const place = random(content.length);
    const shorter = Buffer.concat([content.subarray(0, place), content.subarray(place + 1)]);
    return {
      what: `byte ${place} of ${path} removed`,
      bytes: await packedBytes(replaced(members, { [path]: shorter })),
    };
  }
  return { what: `without ${path}`, bytes: await packedBytes(members.filter((member) => member.path !== path)) };
}

async function membersOfSample(t: ExecutionContext): Promise<PackEntry[]> {
  return membersOf((await writeSample(await temporaryFolder(t))).path);
}

async function packed(t: ExecutionContext, members: readonly PackEntry[], folder = TOP, time = END): Promise<string> {
  const path = join(await temporaryFolder(t), 'it.tlsnap.tar.gz');
  await writeFile(path, await packedBytes(members, folder, time));
  return path;
}

/** The places of the findings by the check that failed; a check that could not be made is not among them. */
function failures(result: Verification): Partial<Record<CheckName, string[]>> {
  const failed = result.checks.filter(({ findingCount }) => findingCount > 0);
  return Object.fromEntries(failed.map(({ check, findings }) => [check, findings.map(({ place }) => place)]));
}

function findingsOf(result: Verification, name: CheckName): readonly Finding[] {
  return result.checks.find(({ check }) => check === name)?.findings ?? [];
}

/** Numbers that look random and are the same in every run. */
function randomNumbers(seed: string): (below: number) => number {
  let count = 0;
  return (below) => {
    count += 1;
    return createHash('sha256').update(`${seed} ${count}`).digest().readUInt32BE(0) % below;
  };
}
