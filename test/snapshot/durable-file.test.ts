import { createHash, randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, open, readdir, readFile, readlink, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import test from 'ava';
import { execa } from 'execa';
import { DurableFile } from '../../src/snapshot/durable-file.js';
import { createOutput } from '../../src/snapshot/output.js';
import { reasonAgainstCommands, testUnless } from '../left-out.js';
import { temporaryFolder } from './sample.js';

const MIB = 1024 * 1024;
/** Which of the two, the kernel's version says. */
const LOST = /^(ENOSPC|EIO): /;

test('all bytes arrive in their order, in a file of mode 0600', async (t) => {
  const path = join(await temporaryFolder(t), 'file');
  const pieces = Array.from({ length: 80 }, (_, at) => randomBytes(MIB + at));
  await pipeline(pieces, new DurableFile(path));
  const written = createHash('sha256')
    .update(await readFile(path))
    .digest('hex');
  t.is(written, createHash('sha256').update(Buffer.concat(pieces)).digest('hex'));
  const { mode } = await stat(path);
  t.is(mode & 0o777, 0o600);
});

test('a file that is there already is refused and left as it is', async (t) => {
  const path = join(await temporaryFolder(t), 'file');
  await writeFile(path, 'theirs');
  t.throws(() => new DurableFile(path), { code: 'EEXIST' });
  t.is(await readFile(path, 'utf8'), 'theirs');
});

test('of an output whose source fails at once nothing is left', async (t) => {
  const folder = await temporaryFolder(t);
  for (let time = 0; time < 100; time++) {
    const output = createOutput(join(folder, 'file'));
    const stream = output.open();
    const closed = new Promise<void>((resolve) => stream.once('close', resolve));
    await t.throwsAsync(pipeline(Readable.from(failing(0)), stream), { message: 'the source' });
    output.abandon();
    await closed;
  }
  t.deepEqual(await readdir(folder), []);
});

function* failing(pieces: number): Generator<string, void> {
  for (let piece = 0; piece < pieces; piece++) yield 'some';
  throw new Error('the source');
}

testUnless(
  process.platform === 'linux' ? undefined : '/proc says which files are open',
  'a source that fails closes the file, and its failure is the one that is told',
  async (t) => {
    const path = join(await temporaryFolder(t), 'file');
    const file = new DurableFile(path);
    const closed = new Promise<void>((resolve) => file.once('close', resolve));
    await t.throwsAsync(pipeline(Readable.from(failing(1)), file), { message: 'the source' });
    await closed;
    const descriptors = await readdir('/proc/self/fd');
    const files = await Promise.all(descriptors.map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => '')));
    t.false(files.includes(path));
  },
);

testUnless(
  existsSync('/dev/loop-control') && process.getuid?.() === 0
    ? reasonAgainstCommands('mkfs.ext4', 'mount')
    : 'only root can mount an image',
  'what the disk did not take in the middle is told at the end, even where it has room again',
  async (t) => {
    const folder = await temporaryFolder(t);
    const disk = join(folder, 'disk');
    const memory = join(folder, 'memory');
    await Promise.all([mkdir(disk), mkdir(memory)]);
    // A disk of 200 MiB, of which there is room for 10: what is written into it is found to be lost when it is synced.
    await execa('mount', ['-t', 'tmpfs', '-o', 'size=40m', 'tlsnap-test', memory]);
    t.teardown(() => execa('umount', [memory]));
    const image = join(memory, 'image');
    await writeFile(image, '');
    await truncate(image, 200 * MIB);
    await execa('mkfs.ext4', ['-q', '-F', '-O', '^has_journal', image]);
    await writeFile(join(memory, 'ballast'), Buffer.alloc(30 * MIB));
    await execa('mount', ['-o', 'loop', image, disk]);
    t.teardown(() => execa('umount', [disk]));
    const path = join(disk, 'file');

    async function* source(): AsyncGenerator<Buffer, void> {
      // As much as is synced at once: what would be written later could fail by itself.
      for (let piece = 0; piece < 32; piece++) yield randomBytes(MIB);
      const other = await open(path);
      // The kernel tells everyone who has the file open, once each.
      await t.throwsAsync(other.sync(), { message: LOST });
      await other.close();
      await rm(join(memory, 'ballast'));
    }

    await t.throwsAsync(pipeline(source(), new DurableFile(path)), { message: LOST });
  },
);
