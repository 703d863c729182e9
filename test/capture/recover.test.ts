import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { join, resolve } from 'node:path';
import { Config } from '@oclif/core';
import test, { type ExecutionContext } from 'ava';
import fc from 'fast-check';
import { compose, type Composed } from '../../src/capture/compose.js';
import Recover from '../../src/commands/recover.js';
import { TlsnapError } from '../../src/errors.js';
import { EXIT, exitCodeOf } from '../../src/failure.js';
import type { Manifest } from '../../src/snapshot/schema/manifest.js';
import { oneTimeSigner } from '../../src/snapshot/signer.js';
import { verifySnapshot } from '../../src/snapshot/verify.js';
import { runCli } from '../cli/run-cli.js';
import { temporaryFolder } from '../snapshot/sample.js';
import { framesOf, segmentsOf, writeSpool, type PlacedFrame } from './made-spool.js';

// A spool as a power cut, a bad disk or a forger leaves it. What must come out of it is counted off by the lengths in the
// frames' headers.

const KERNEL = 2;
const SIGNER = oneTimeSigner();

test('cut at every byte of the last segment, all whole frames become a snapshot that says where it broke', async (t) => {
  t.timeout(240_000);
  const { folder, spool, frames, last } = await made(t);
  const whole = readFileSync(last);
  for (let length = whole.length; length >= 0; length--) {
    truncateSync(last, length);
    const { manifest, path } = (await composed(folder, spool)).snapshot;
    assertPrefix(t, manifest, keptBefore(frames, length), length);
    if (length % 97 === 0) {
      const verification = await verifySnapshot(path);
      t.true(verification.ok, `${length}: ${JSON.stringify(verification.checks)}`);
    }
    rmSync(path);
  }
});

test('the command does the same, in steps of 41 bytes and at each border of a frame', async (t) => {
  const { folder, spool, frames, last } = await made(t);
  const whole = readFileSync(last);
  const config = await Config.load(resolve(import.meta.dirname, '../..'));
  const borders = frames.filter(({ segment }) => last.endsWith(segment)).flatMap(({ to }) => [to - 1, to, to + 1]);
  const lengths = new Set([...borders, ...Array.from({ length: whole.length / 41 }, (_, index) => index * 41)]);
  for (const length of [...lengths].filter((length) => length <= whole.length)) {
    writeFileSync(last, whole.subarray(0, length));
    const output = join(folder, `${length}`);
    const said = (await Recover.run([spool, '--output', output, '--quiet'], config)) as Said;
    const broke = said.recovered?.brokeAt !== null && said.recovered !== null;
    t.is(process.exitCode ?? 0, broke ? 1 : 0, `${length}`);
    process.exitCode = 0;
    t.is(said.handshakes, keptBefore(frames, length).hellos, `${length}`);
    t.true((await verifySnapshot(output)).ok, `${length}`);
    rmSync(output);
  }
});

test('as a process of its own it ends with 0, 1 or 65, and says where it broke', async (t) => {
  const { folder, spool, frames, last } = await made(t);
  const whole = readFileSync(last);
  const output = join(folder, 'out');
  t.is((await runCli(['recover', spool, '--output', output, '--quiet'])).exitCode, 0);
  truncateSync(last, whole.length - 1);
  rmSync(output);
  const cut = await runCli(['recover', spool, '--output', output]);
  t.is(cut.exitCode, 1, cut.stderr);
  const { segment, from } = frames.at(-1) ?? { segment: '', from: 0 };
  t.regex(
    cut.stderr,
    new RegExp(`^recovered   ${frames.length - 1} records; a frame is cut off \\(${segment} offset ${from}\\)$`, 'm'),
  );
  t.regex(cut.stderr, /^losses {6}\d+ spool\.bytes$/m);
  truncateSync(join(spool, 'segment-00000000'), 50);
  rmSync(output);
  const nothing = await runCli(['recover', spool, '--output', output, '--json']);
  t.is(nothing.exitCode, 65);
  const { error } = JSON.parse(nothing.stdout) as { error: { message: string } };
  t.regex(error.message, /holds no start of a capture \(segment-00000000 offset 0: a frame is cut off\)$/);
});

test('one flipped bit anywhere is named, and what was before it is kept', async (t) => {
  t.timeout(240_000);
  const { folder, spool, frames } = await made(t);
  for (const segment of segmentsOf(spool)) {
    const path = join(spool, segment);
    const whole = readFileSync(path);
    for (let at = 0; at < whole.length; at += 23) {
      const flipped = Buffer.from(whole);
      flipped[at] = (flipped[at] ?? 0) ^ (1 << (at % 8));
      writeFileSync(path, flipped);
      const hit = frames.findIndex((frame) => frame.segment === segment && at < frame.to);
      const place = `${segment} offset ${frames[hit]?.from ?? -1}`;
      if (hit === 0) {
        const error = await t.throwsAsync(composed(folder, spool), { instanceOf: TlsnapError });
        t.is(error.kind, 'input');
        t.true(error.message.includes(place), error.message);
        continue;
      }
      const { manifest, path: output } = (await composed(folder, spool)).snapshot;
      t.like(manifest.recovered, { recordsKept: hit, brokeAt: place }, `${at}`);
      t.is(manifest.coverage.events, helloCount(frames.slice(0, hit)), `${at}`);
      rmSync(output);
    }
    writeFileSync(path, whole);
  }
});

test('a missing segment, one that is a folder, a link or a FIFO, is named and holds nobody up', async (t) => {
  const { folder, spool, last } = await made(t);
  const first = join(spool, 'segment-00000000');
  const bytes = readFileSync(last);
  for (const [command, args, found] of [
    ['mkdir', [last], /regular file/],
    ['mkfifo', [last], /regular file/],
    ['ln', ['-s', first, last], /ELOOP/],
  ] as const) {
    rmSync(last, { recursive: true });
    execFileSync(command, args);
    const error = await t.throwsAsync(composed(folder, spool), { instanceOf: TlsnapError });
    t.regex(error.message, found);
    t.true(error.message.startsWith(last), error.message);
  }
  rmSync(last);
  const { manifest } = (await composed(folder, spool)).snapshot;
  t.is(manifest.recovered?.reason, 'the capture ended without writing its end');
  writeFileSync(last, bytes);
  rmSync(first);
  const error = await t.throwsAsync(composed(folder, spool), { instanceOf: TlsnapError });
  t.regex(error.message, /segment-00000001 offset 0: the segment before it, segment-00000000, is missing/);
});

test('what is no spool is said to be none', async (t) => {
  const folder = await temporaryFolder(t);
  const file = join(folder, 'file');
  writeFileSync(file, 'x');
  for (const [path, code, said] of [
    [file, 65, /is a file, not the spool of a capture/],
    [folder, 65, /is not the spool of a capture: it holds no segment/],
    [join(folder, 'nothing'), 74, /no such file or directory/],
  ] as const) {
    const { exitCode, stderr } = await runCli(['recover', path, '--output', join(folder, 'x.tlsnap.tar.gz')]);
    t.is(exitCode, code);
    t.regex(stderr.replaceAll(/\s*\n\s*›?\s*/g, ' '), said);
  }
  t.deepEqual(readdirSync(folder), ['file']);
});

test('a spool that may only be read is recovered beside the output, and nothing else is left there', async (t) => {
  const { folder, spool } = await made(t);
  const output = join(folder, 'elsewhere', 'x');
  mkdirSync(join(folder, 'elsewhere'));
  const before = readdirSync(spool);
  const config = await Config.load(resolve(import.meta.dirname, '../..'));
  await Recover.run([spool, '--output', output, '--quiet'], config);
  t.deepEqual(readdirSync(spool), before);
  t.deepEqual(readdirSync(join(folder, 'elsewhere')), ['x']);
  // What a recovery that was killed left is not touched, and named.
  mkdirSync(`${output}2.members`);
  const error = await t.throwsAsync(Recover.run([spool, '--output', `${output}2`, '--quiet'], config));
  t.regex(error.message, /2\.members: exists already/);
  t.deepEqual(readdirSync(join(folder, 'elsewhere')).sort(), ['x', 'x2.members']);
  process.exitCode = 0;
});

test('a forged spool, whose links are right, is an input error or a snapshot that verifies and says what it left out', async (t) => {
  t.timeout(240_000);
  const { folder, spool } = await made(t);
  const genuine = Object.fromEntries(segmentsOf(spool).map((name) => [name, readFileSync(join(spool, name))]));
  let verified = 0;
  await fc.assert(
    fc.asyncProperty(fc.infiniteStream(fc.nat()), fc.integer({ min: 1, max: 4 }), async (random, changes) => {
      const next = (): number => random.next().value as number;
      forge(spool, genuine, next, changes);
      let written: Composed;
      try {
        written = await composed(folder, spool);
      } catch (error) {
        t.is(exitCodeOf(error), EXIT.input, String((error as Error).stack));
        return;
      }
      const verification = await verifySnapshot(written.snapshot.path);
      t.true(verification.ok, JSON.stringify(verification.checks));
      verified++;
      rmSync(written.snapshot.path);
    }),
    { numRuns: 100 },
  );
  t.true(verified > 15, `${verified} were read`);
});

interface Said {
  readonly handshakes: number;
  readonly recovered: Manifest['recovered'];
}

/** A spool of several segments, and its last one. */
async function made(t: ExecutionContext) {
  const folder = await temporaryFolder(t);
  const spool = join(folder, 'x.tlsnap.tar.gz.spool');
  writeSpool(spool, 6600);
  const segments = segmentsOf(spool);
  t.true(segments.length > 1);
  return { folder, spool, frames: framesOf(spool), last: join(spool, segments.at(-1) ?? '') };
}

function composed(folder: string, spool: string): Promise<Composed> {
  const output = join(mkdtempSync(join(folder, 'out-')), 'x');
  return compose({ spool, output, signer: SIGNER, encryptTo: [], removesSpool: false });
}

/** What is whole when the last segment has `length` bytes. */
function keptBefore(frames: readonly PlacedFrame[], length: number) {
  const segment = frames.at(-1)?.segment;
  const kept = frames.filter((frame) => frame.segment !== segment || frame.to <= length);
  const end = Math.max(0, ...kept.filter((frame) => frame.segment === segment).map(({ to }) => to));
  return { records: kept.length, hellos: helloCount(kept), lost: length - end, at: `${segment} offset ${end}` };
}

/** The first record of the kernel is the process's. */
function helloCount(frames: readonly PlacedFrame[]): number {
  return Math.max(0, frames.filter(({ kind }) => kind === KERNEL).length - 1);
}

function assertPrefix(
  t: ExecutionContext,
  manifest: Manifest,
  kept: ReturnType<typeof keptBefore>,
  length: number,
): void {
  const { recovered, coverage, source } = manifest;
  t.is(coverage.events, kept.hellos, `${length}`);
  t.is(manifest.chain?.records, kept.records, `${length}`);
  t.is(coverage.lossesByKind['spool.bytes'] ?? 0, kept.lost, `${length}`);
  t.is(source, recovered ? 'recovered' : 'live');
  // Whole to its end, it is no recovered one.
  if (!recovered) t.is(kept.lost, 0);
  else t.like(recovered, { bytesLost: kept.lost, brokeAt: kept.lost === 0 ? null : kept.at }, `${length}`);
}

/** Changes bytes of payloads and kinds of frames, and makes the links right again. */
function forge(spool: string, genuine: Record<string, Buffer>, next: () => number, changes: number): void {
  const segments = Object.entries(genuine).map(([name, bytes]) => [name, Buffer.from(bytes)] as const);
  for (let change = 0; change < changes; change++) {
    const [, bytes] = segments[next() % segments.length] ?? ['', Buffer.alloc(1)];
    const at = next() % bytes.length;
    const inFrame = frameAt(bytes, at);
    // Lengths and magic stay: that a reader stops at those is shown above.
    if (inFrame >= 44) bytes[at] = FORGED[next() % FORGED.length] ?? next() % 256;
    else if (inFrame === 4) bytes[at] = next() % 5;
  }
  let link: Buffer = Buffer.alloc(32);
  for (const [name, bytes] of segments) {
    for (let at = 0; at < bytes.length;) {
      const end = at + 44 + bytes.readUInt32LE(at + 8);
      const hash = createHash('sha256')
        .update(link)
        .update(bytes.subarray(at, at + 12));
      link = hash.update(bytes.subarray(at + 44, end)).digest();
      link.copy(bytes, at + 12);
      at = end;
    }
    writeFileSync(join(spool, name), bytes);
  }
}

/** How far into its frame a byte of a segment lies. */
function frameAt(bytes: Buffer, place: number): number {
  for (let at = 0; ;) {
    const end = at + 44 + bytes.readUInt32LE(at + 8);
    if (place < end) return place - at;
    at = end;
  }
}

/** What turns one piece of JSON, or one number, into another. */
const FORGED = [0x22, 0x2c, 0x30, 0x39, 0x5b, 0x5d, 0x7b, 0x7d, 0x6e, 0x00, 0xff, undefined];
