import { copyFile, cp, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { bundleFolder } from '../../scripts/bundle/folder.js';
import type { Host } from '../../src/snapshot/schema/host.js';
import { reasonAgainstBundleTests, reasonAgainstCommands, reasonAgainstLiveTests, testUnless } from '../left-out.js';
import { bareHost, COMMANDS, inside, markedLibrary, NODE, PROJECT, TLSNAP } from './bare-host.js';

// An environment and a configuration of the host made to get a library of somebody else's into the bundle.

const reason = reasonAgainstLiveTests() ?? reasonAgainstCommands(...COMMANDS, 'cc') ?? reasonAgainstBundleTests();

testUnless(reason, 'no variable of the environment gets a library or a script into it', async (t) => {
  const library = await markedLibrary(t);
  const script = `${library}.cjs`;
  await writeFile(script, "process.stdout.write('PRELOADED')");
  const tlsnap = join(await bundleFolder(PROJECT), 'tlsnap');
  for (const env of [{ LD_PRELOAD: library }, { LD_AUDIT: library }, { NODE_OPTIONS: `--require=${script}` }]) {
    // Each does what it is made for in a program that heeds it.
    const heeding = await execa(process.execPath, ['--version'], { env });
    t.regex(heeding.stdout, 'NODE_OPTIONS' in env ? /^v/ : /PRELOADED/);
    const { stdout } = await execa(tlsnap, ['--version'], { env });
    t.regex(stdout, /^tlsnap\/\S+ linux-x64 node-v26\.[\d.]+$/);
  }
});

testUnless(reason, '/etc/ld.so.preload gets no library into it, and a capture says that it is there', async (t) => {
  const host = await bareHost(t);
  await mkdir(join(host.root, 'etc'));
  await cp(await markedLibrary(t), join(host.root, 'preloaded.so'));
  await writeFile(join(host.root, 'etc/ld.so.preload'), '/preloaded.so\n');
  await copyFile(LOADER, join(host.root, 'loader'));

  const byHost = await inside(host, ...BY_LOADER, '--eval', 'console.log(1)');
  t.is(byHost.stdout, 'PRELOADED1');
  const byBundle = await inside(host, NODE, '--eval', 'console.log(1)');
  t.is(byBundle.stdout, '1');

  // No network namespace has the inode 1: a whole capture, and nothing of anybody in it.
  const output = ['--output', '/mnt/x.tlsnap.tar.gz'];
  const capture = await inside(host, TLSNAP, 'capture', '--window', '1s', '--netns', '1', ...output);
  t.is(capture.exitCode, 0, capture.all);
  t.notRegex(capture.all, /PRELOADED/);
  t.regex(capture.all, /\/etc\/ld\.so\.preload loads libraries into every process/);
  const snapshot = join(host.output, 'x.tlsnap.tar.gz');
  const { stdout } = await execa('tar', ['-xzOf', snapshot, '--wildcards', '*/host.json']);
  const { preload, self } = JSON.parse(stdout) as Host;
  t.like(preload, { exists: true, content: '/preloaded.so\n' });
  t.deepEqual(
    self.libraries.filter((path) => path.includes('preloaded')),
    [],
  );
});

testUnless(reason, 'neither nsswitch.conf nor openssl.cnf of the host gets a library into it', async (t) => {
  const host = await bareHost(t);
  const library = await markedLibrary(t);
  const system = join(host.root, 'lib/x86_64-linux-gnu');
  await mkdir(system, { recursive: true });
  await mkdir(join(host.root, 'etc/ssl'), { recursive: true });
  await cp(library, join(system, 'libnss_evil.so.2'));
  await writeFile(join(host.root, 'etc/nsswitch.conf'), 'passwd: evil\n');
  await cp(library, join(host.root, 'evil.so'));
  await writeFile(join(host.root, 'etc/ssl/openssl.cnf'), OPENSSL_WITH_PROVIDER);
  await copyFile(LOADER, join(host.root, 'loader'));

  const byHost = await inside(host, ...BY_LOADER, '--eval', ASKS_FOR_USER);
  t.is(byHost.stdout, 'PRELOADEDPRELOADEDnobody');
  const { stdout } = await inside(host, NODE, '--eval', ASKS_FOR_USER);
  t.is(stdout, 'nobody');
  const keygen = await inside(host, TLSNAP, 'keygen', '--output', '/mnt/key');
  t.is(keygen.exitCode, 0, keygen.all);
  t.notRegex(keygen.all, /PRELOADED/);
});

/** The loader of this machine, which heeds the host, and how it starts the bundle's Node: what that would do. */
const LOADER = '/lib64/ld-linux-x86-64.so.2';
const RUNTIME = '/usb stick/runtime';
const BY_LOADER = ['/loader', '--inhibit-cache', '--library-path', `${RUNTIME}/lib`, `${RUNTIME}/node.bin`];

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
