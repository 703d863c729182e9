import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { constants, crc32, deflateRawSync, gunzipSync } from 'node:zlib';
import test from 'ava';
import { execa } from 'execa';
import { readSeal, SEAL_BYTES } from '../../src/snapshot/seal.js';
import { verifySnapshot } from '../../src/snapshot/verify.js';
import { reasonAgainstCommands, testUnless } from '../left-out.js';
import { resealed } from './repack.js';
import { temporaryFolder, writeSample } from './sample.js';

const PLAIN = '1f8b08000000000004ff';

/** Files whose seal is right and of which gzip gives the tar of a snapshot, and the place where they are not one. */
const FORGERIES: readonly [what: string, forge: (tar: Buffer) => Buffer, place: RegExp][] = [
  ['a time in the header', (tar) => member(tar, '1f8b08003930000004ff'), /^the gzip header$/],
  ['other extra flags', (tar) => member(tar, '1f8b08000000000002ff'), /^the gzip header$/],
  ['another system', (tar) => member(tar, '1f8b0800000000000403'), /^the gzip header$/],
  ['the flag for text', (tar) => member(tar, '1f8b08010000000004ff'), /^the gzip header$/],
  ['a name', (tar) => member(tar, '1f8b08080000000004ff', Buffer.from('evidence.tar\0')), /^the gzip header$/],
  ['a comment', (tar) => member(tar, '1f8b08100000000004ff', Buffer.from('hidden\0')), /^the gzip header$/],
  ['an extra field', (tar) => member(tar, '1f8b08040000000004ff', Buffer.from('\x04\0hide')), /^the gzip header$/],
  ['a sum of the header', (tar) => member(tar, '1f8b08020000000004ff', headerSum()), /^the gzip header$/],
  ['two members', (tar) => Buffer.concat([member(tar.subarray(0, 5000)), member(tar.subarray(5000))]), /^byte \d+ of/],
  [
    'an empty member in front',
    (tar) => Buffer.concat([member(Buffer.alloc(0)), member(tar)]),
    /^byte 20 of the file$/m,
  ],
  ['an empty member behind', (tar) => Buffer.concat([member(tar), member(Buffer.alloc(0))]), /^byte \d+ of the file$/],
  [
    'an empty member with a comment behind',
    (tar) => Buffer.concat([member(tar), member(Buffer.alloc(0), '1f8b08100000000004ff', Buffer.from('hidden\0'))]),
    /^byte \d+ of the file$/,
  ],
  ['two seals', (tar) => resealed(member(tar)), /^byte \d+ of the file$/],
  ['zeros behind', (tar) => Buffer.concat([member(tar), Buffer.alloc(8)]), /^byte \d+ of the file$/],
];

for (const [what, forge, place] of FORGERIES) {
  testUnless(reasonAgainstCommands('gzip'), `is no snapshot, though gzip reads it as one: ${what}`, async (t) => {
    const folder = await temporaryFolder(t);
    const { tar } = await sampleTar(folder);
    const path = join(folder, 'forged.tlsnap.tar.gz');
    await writeFile(path, resealed(forge(tar)));
    const gzip = await execa('gzip', ['-dc', path], { encoding: 'buffer', stripFinalNewline: false, reject: false });
    t.true(tar.equals(gzip.stdout));
    t.regex((await containerPlaces(path)).join('\n'), place);
  });
}

test('what follows zeros behind the tar is noticed, where Node stops to read', async (t) => {
  const folder = await temporaryFolder(t);
  const { tar } = await sampleTar(folder);
  const path = join(folder, 'forged.tlsnap.tar.gz');
  const first = member(tar);
  for (const hidden of [Buffer.from('hidden'), member(Buffer.from('another tar'))]) {
    const bytes = resealed(Buffer.concat([first, Buffer.alloc(1), hidden]));
    t.true(gunzipSync(bytes).equals(tar));
    await writeFile(path, bytes);
    t.deepEqual(await containerPlaces(path), [`byte ${first.length} of the file`]);
  }
});

test('a CRC-32 and a size that are not those of the tar are noticed', async (t) => {
  const folder = await temporaryFolder(t);
  const { tar } = await sampleTar(folder);
  const path = join(folder, 'forged.tlsnap.tar.gz');
  for (const back of [8, 4]) {
    const forged = member(tar);
    forged.writeUInt8(forged.readUInt8(forged.length - back) ^ 1, forged.length - back);
    await writeFile(path, resealed(forged));
    t.deepEqual(await containerPlaces(path), [`byte ${forged.length - 8} of the file`]);
  }
});

test('what the seal is over has the same end in chunks of any size', async (t) => {
  const { gzip } = await sampleTar(await temporaryFolder(t));
  const whole = resealed(gzip);
  for (const size of [1, 7, 103, whole.length]) {
    const chunks = Array.from({ length: Math.ceil(whole.length / size) }, (_, at) =>
      whole.subarray(at * size, (at + 1) * size),
    );
    const { intact, before } = await readSeal(Readable.from(chunks));
    t.true(intact);
    t.deepEqual(before.subarray(-8), gzip.subarray(-8));
  }
});

test('the deflate coding is free: none, one block, or many', async (t) => {
  const folder = await temporaryFolder(t);
  const { tar, gzip } = await sampleTar(folder);
  t.is(gzip.subarray(0, 10).toString('hex'), PLAIN);
  const path = join(folder, 'recoded.tlsnap.tar.gz');
  const half = deflateRawSync(tar.subarray(0, 5000), { finishFlush: constants.Z_FULL_FLUSH });
  for (const stream of [
    deflateRawSync(tar, { level: 0 }),
    deflateRawSync(tar, { level: 9 }),
    Buffer.concat([half, deflateRawSync(tar.subarray(5000))]),
  ]) {
    await writeFile(path, resealed(member(tar, PLAIN, Buffer.alloc(0), stream)));
    t.true((await verifySnapshot(path)).ok);
  }
});

/** A gzip member put together by hand (RFC 1952): header, what the flags announce, deflate stream, CRC-32, size. */
function member(
  content: Buffer,
  header = PLAIN,
  fields: Buffer = Buffer.alloc(0),
  stream: Buffer = deflateRawSync(content),
): Buffer {
  const trailer = Buffer.alloc(8);
  trailer.writeUInt32LE(crc32(content), 0);
  trailer.writeUInt32LE(content.length, 4);
  return Buffer.concat([Buffer.from(header, 'hex'), fields, stream, trailer]);
}

function headerSum(): Buffer {
  const sum = Buffer.alloc(2);
  sum.writeUInt16LE(crc32(Buffer.from('1f8b08020000000004ff', 'hex')) & 0xffff);
  return sum;
}

async function sampleTar(folder: string): Promise<{ tar: Buffer; gzip: Buffer }> {
  const whole = await readFile((await writeSample(folder)).path);
  return { tar: gunzipSync(whole), gzip: whole.subarray(0, -SEAL_BYTES) };
}

/** Where the check of the container found something. */
async function containerPlaces(path: string): Promise<string[]> {
  const { checks } = await verifySnapshot(path);
  return checks.find(({ check }) => check === 'container')?.findings.map(({ place }) => place) ?? [];
}
