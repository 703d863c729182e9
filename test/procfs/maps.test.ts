import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import test from 'ava';
import fc from 'fast-check';
import { elfBuildId } from '../../src/procfs/build-id.js';
import { parseMaps } from '../../src/procfs/maps.js';
import { tlsLibraryOf, unusualReason } from '../../src/procfs/tls-libraries.js';
import { reasonAgainstCommands, testUnless } from '../left-out.js';

const MAPS = `00400000-00452000 r-xp 00000000 fe:00 260689                     /usr/bin/prog
00651000-00652000 r--p 00051000 fe:00 260689                     /usr/bin/prog
7f0000000000-7f0000001000 r-xp 00000000 00:01 1025               /memfd:x y (deleted)
7f0000002000-7f0000003000 r-xp 00000000 00:1a 7                  /tmp/a\\012b.so (deleted)
7f0000004000-7f0000005000 rw-p 00000000 00:00 0 
7ffd00000000-7ffd00001000 rw-p 00000000 00:00 0                  [stack]
`;

test('mappings of one file are one, and areas of the kernel are none', (t) => {
  t.deepEqual(
    parseMaps(Buffer.from(MAPS)).map((file) => ({ ...file, path: file.path.toString() })),
    [
      {
        range: '400000-452000',
        path: '/usr/bin/prog',
        deleted: false,
        device: '254:0',
        inode: '260689',
        executable: true,
      },
      {
        range: '7f0000000000-7f0000001000',
        path: '/memfd:x y',
        deleted: true,
        device: '0:1',
        inode: '1025',
        executable: true,
      },
      {
        range: '7f0000002000-7f0000003000',
        path: '/tmp/a\nb.so',
        deleted: true,
        device: '0:26',
        inode: '7',
        executable: true,
      },
    ],
  );
});

test('code that no package installed is named with the reason', (t) => {
  const reasons = parseMaps(Buffer.from(MAPS)).map((file) => unusualReason(file, '/usr/bin/prog'));
  t.deepEqual(reasons, [null, 'memory', 'temporary-directory']);
});

test('TLS libraries are told by their file names', (t) => {
  const named = {
    '/usr/lib/libssl.so.3': 'openssl',
    '/usr/lib/libcrypto.so.1.1': 'openssl',
    '/venv/cryptography.libs/libssl-3e69114b.so.1.1': 'openssl',
    '/usr/lib/libssl3.so': 'nss',
    '/usr/lib/libnss3.so': 'nss',
    '/usr/lib/libgnutls.so.30.34.3': 'gnutls',
    '/tmp/libnetty_tcnative_linux_x86_6412.so': 'boringssl',
    '/usr/lib/libwolfssl.so.42': 'wolfssl',
    '/usr/lib/libmbedtls.so.14': 'mbedtls',
    '/usr/lib/libs2n.so': 's2n',
    '/usr/lib/librustls.so': 'rustls',
    '/usr/lib/libc.so.6': null,
    '/usr/lib/libcryptsetup.so.12': null,
    '/usr/lib/libsslcommon.so': null,
    '/usr/lib/libnss_files.so.2': null,
  };
  t.deepEqual(Object.fromEntries(Object.keys(named).map((path) => [path, tlsLibraryOf(path)])), named);
});

test('no bytes are an exception', (t) => {
  const piece = fc.constantFrom('0', 'f', '-', ' ', 'r-xp', ':', '/', '\n', '(deleted)', '\\012', 'é');
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 80 }), (pieces) => {
      parseMaps(Buffer.from(pieces.join('')));
      return true;
    }),
  );
  t.pass();
});

testUnless(reasonAgainstCommands('readelf'), 'the build id is the one that readelf prints', (t) => {
  const elf = readFileSync(process.execPath);
  const printed = /Build ID: ([0-9a-f]+)/.exec(
    execFileSync('readelf', ['-n', process.execPath], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }),
  )?.[1];
  t.is(
    elfBuildId((offset, length) => elf.subarray(offset, offset + length)),
    printed ?? null,
  );
});

test('a damaged ELF file has no build id, and is no exception', (t) => {
  const elf = readFileSync(process.execPath).subarray(0, 4096);
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(1023), fc.nat(255)), { maxLength: 12 }), fc.nat(4096), (flips, length) => {
      const damaged = Buffer.from(elf.subarray(0, length));
      for (const [at, value] of flips) if (at < damaged.length) damaged[at] = value;
      const found = elfBuildId((offset, size) => damaged.subarray(offset, offset + size));
      return found === null || /^([0-9a-f]{2})+$/.test(found);
    }),
    { numRuns: 500 },
  );
  t.is(
    elfBuildId(() => Buffer.alloc(0)),
    null,
  );
});
