import test from 'ava';
import fc from 'fast-check';
import { extract, pack } from 'tar-stream';
import { canonicalHeader, readHeader } from '../../src/snapshot/tar-header.js';

const path = fc.stringMatching(/^[a-z][a-z0-9._-]{0,90}\.tlsnap\/(executables\/)?[a-z0-9._-]{1,64}$/);
const size = fc.oneof(fc.nat(), fc.constantFrom(0, 8 ** 11 - 1, 8 ** 11, 2 ** 47));
// Until 2038: tar-stream keeps times in 32 bits.
const mtime = fc.integer({ min: 0, max: 2 ** 31 - 1 });

test('a canonical header is what tar-stream, and so archiver, writes', async (t) => {
  await fc.assert(
    fc.asyncProperty(path, size, mtime, async (name, bytes, seconds) => {
      const packing = pack();
      packing.entry({ name, size: bytes, mode: 0o400, mtime: new Date(seconds * 1000), uid: 0, gid: 0 });
      for await (const chunk of packing) {
        t.deepEqual(chunk as Buffer, canonicalHeader(name, bytes, seconds));
        return;
      }
    }),
  );
});

test('tar-stream reads from a canonical header what went into it, and so do we', async (t) => {
  await fc.assert(
    fc.asyncProperty(path, size, mtime, async (name, bytes, seconds) => {
      const header = canonicalHeader(name, bytes, seconds);
      const extraction = extract();

      const theirs = await new Promise<unknown[]>((resolve) => {
        extraction.on('entry', (entry) => resolve([entry.name, entry.size, entry.mtime.getTime()]));
        // The content does not follow, so it is not ended.
        extraction.write(header);
      });
      t.deepEqual(theirs, [name, bytes, seconds * 1000]);
      t.deepEqual(readHeader(header), { path: name, size: bytes, mtime: seconds });
    }),
  );
});

test('one changed bit of a header is a fault, or makes it no canonical header', (t) => {
  const header = canonicalHeader('host.tlsnap/manifest.json', 1234, 1_795_339_268);
  for (let bit = 0; bit < 512 * 8; bit += 1) {
    const changed = Buffer.from(header);
    changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    const read = readHeader(changed);
    const noticed = 'fault' in read || !changed.equals(canonicalHeader(read.path, read.size, read.mtime));
    t.true(noticed, `bit ${bit}`);
  }
});

test('any 512 bytes with a right checksum are read or a fault, without an exception', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 512, maxLength: 512 }), (bytes) => {
      const block = Buffer.from(bytes);
      block.write('ustar\x0000', 257, 'latin1');
      block[156] = 0x30;
      block.fill(' ', 148, 156);
      const sum = block.reduce((total, byte) => total + byte, 0);
      block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
      const read = readHeader(block);
      t.true('fault' in read || (Number.isSafeInteger(read.size) && read.size >= 0));
    }),
    { numRuns: 1000 },
  );
});
