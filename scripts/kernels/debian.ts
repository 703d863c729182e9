/**
 * Debian's cloud kernels, fetched through apt itself into a private directory: the machine's own package sources,
 * keyring and proxy settings are used, with the suite's name exchanged, and nothing of the system's apt is touched.
 */
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';

export type Architecture = 'amd64' | 'arm64';

/** A kernel of the matrix: which suites carry it, and what its package is called there. */
export interface KernelRelease {
  readonly name: string;
  /** In Debian's words. */
  readonly architecture: Architecture;
  readonly suites: readonly string[];
  readonly packages: RegExp;
  /** The processor that qemu emulates, in its words. */
  readonly cpu: string;
  /** Whether the two processors take turns: slower by half. Without it they run at once. */
  readonly inTurns?: true;
  /** True where a day without it is no reason to fail: sid is rebuilt all the time. */
  readonly mayBeMissing: boolean;
}

/** A kernel that is on this disk. */
export interface Kernel {
  readonly name: string;
  /** The package's name and version, e.g. `linux-image-6.1.0-56-cloud-amd64 6.1.192-2`. */
  readonly package: string;
  readonly architecture: Architecture;
  /** Path of the bzImage or Image. */
  readonly image: string;
  readonly cpu: string;
  readonly inTurns: boolean;
  /** Why an older image had to do, where it did. */
  readonly note?: string;
}

export const KERNEL_RELEASES: readonly KernelRelease[] = [
  {
    name: '5.10',
    architecture: 'amd64',
    suites: ['bullseye', 'bullseye-security'],
    packages: /^linux-image-5\.10\.\d+-\d+-cloud-amd64$/,
    cpu: 'qemu64',
    mayBeMissing: false,
  },
  {
    name: '6.1',
    architecture: 'amd64',
    suites: ['bookworm', 'bookworm-security'],
    packages: /^linux-image-6\.1\.\d+-\d+-cloud-amd64$/,
    cpu: 'qemu64',
    mayBeMissing: false,
  },
  {
    name: '6.12',
    architecture: 'amd64',
    suites: ['bookworm-backports', 'bookworm-security'],
    packages: /^linux-image-6\.12\.[\w.+]+-cloud-amd64$/,
    // It crashes early on qemu 7.2's cmpxchg16b.
    cpu: 'qemu64,-cx16',
    // It patches its own code late in the boot, and one processor may run what the other just replaced: "Oops: int3".
    inTurns: true,
    mayBeMissing: false,
  },
  // Since 6.19 or so the image itself is in linux-binary-*, and linux-image-* only depends on it.
  {
    name: 'newest',
    architecture: 'amd64',
    suites: ['sid'],
    packages: /^linux-(?:binary|image)-\d[\w.+]*-cloud-amd64$/,
    // Without cmpxchg16b kmalloc_nolock refuses, and with it every new socket storage.
    cpu: 'qemu64',
    // As for 6.12, seen once.
    inTurns: true,
    mayBeMissing: true,
  },
];

/** Booted by scripts/kernels/arm64.ts, which is no part of `npm test`. */
export const ARM64_RELEASE: KernelRelease = {
  name: '6.1-arm64',
  architecture: 'arm64',
  suites: ['bookworm', 'bookworm-security'],
  packages: /^linux-image-6\.1\.\d+-\d+-cloud-arm64$/,
  cpu: 'cortex-a72',
  mayBeMissing: true,
};

/**
 * The newest image of `release`: from `cache` while it is younger than a week, else through apt.
 * An older cached image is used, and noted, when the package source does not answer.
 *
 * @throws Error where there is neither; its message says what apt said
 */
export async function fetchKernel(release: KernelRelease, cache: string): Promise<Kernel> {
  const directory = join(cache, release.name);
  const cached = await readCached(release, directory);
  if (cached && cached.ageDays < MAX_AGE_DAYS) return cached.kernel;
  try {
    return await download(release, directory);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    if (!cached) throw new Error(`kernel ${release.name} cannot be fetched: ${reason}`, { cause: error });
    return { ...cached.kernel, note: `${cached.ageDays.toFixed()} days old, and not renewed: ${reason}` };
  }
}

/** The image of `release` that `cache` holds, if any: what a test can know before it starts. */
export function hasCachedKernel(release: KernelRelease, cache: string): boolean {
  return existsSync(join(cache, release.name, 'vmlinuz'));
}

async function readCached(release: KernelRelease, directory: string) {
  const image = join(directory, 'vmlinuz');
  try {
    const origin = await readFile(join(directory, 'package'), 'utf8');
    const { mtimeMs } = await stat(join(directory, 'package'));
    await stat(image);
    const { name, architecture, cpu, inTurns = false } = release;
    const kernel: Kernel = { name, architecture, package: origin.trim(), image, cpu, inTurns };
    return { kernel, ageDays: (Date.now() - mtimeMs) / 86_400_000 };
  } catch {
    return undefined;
  }
}

async function download(release: KernelRelease, directory: string): Promise<Kernel> {
  const apt = await privateApt(join(directory, 'apt'), release.suites, release.architecture);
  // One suite of several may be gone (a security suite ends before its release does): what counts is what was found.
  const update = await apt('apt-get', ['--quiet', '--quiet', 'update'], { reject: false });
  const { stdout } = await apt('apt-cache', [
    '--names-only',
    'search',
    `linux-(image|binary)-.*-cloud-${release.architecture}`,
  ]);
  const names = stdout.split('\n').map((line) => line.split(' ', 1)[0] ?? '');
  const best = names.filter((name) => release.packages.test(name)).sort(byKernelVersion)[0];
  if (best === undefined) throw new Error(`no such package in ${release.suites.join(', ')} ${update.stderr}`.trim());

  const unpacked = join(directory, 'unpacked');
  await rm(unpacked, { recursive: true, force: true });
  await mkdir(unpacked, { recursive: true });
  await apt('apt-get', ['--quiet', '--quiet', 'download', best], { cwd: unpacked });
  const archive = (await readdir(unpacked)).find((name) => name.endsWith('.deb'));
  if (archive === undefined) throw new Error(`${best}: apt fetched nothing`);
  await execa('dpkg-deb', ['--extract', archive, '.'], { cwd: unpacked });
  const version = (await execa('dpkg-deb', ['--field', archive, 'Version'], { cwd: unpacked })).stdout;

  const image = join(directory, 'vmlinuz');
  await rename(await findImage(unpacked), image);
  await writeFile(join(directory, 'package'), `${best} ${version}\n`);
  await rm(unpacked, { recursive: true });
  await rm(join(directory, 'apt'), { recursive: true });
  const { name, architecture, cpu, inTurns = false } = release;
  return { name, architecture, package: `${best} ${version}`, image, cpu, inTurns };
}

/** Newest first; of one version the package that holds the image rather than the one that depends on it. */
function byKernelVersion(left: string, right: string): number {
  const version = (name: string) => name.replace(/^linux-(?:binary|image)-/, '');
  const order = version(right).localeCompare(version(left), 'en', { numeric: true });
  return order === 0 ? left.localeCompare(right) : order;
}

async function findImage(unpacked: string): Promise<string> {
  const files = await readdir(unpacked, { recursive: true });
  const image = files.find((file) => /(?:^|\/)vmlinuz(?:-[^/]*)?$/.test(file));
  if (image === undefined) throw new Error('the package holds no vmlinuz');
  return join(unpacked, image);
}

/** Runs apt's tools over a directory of their own, with sources for `suites`. */
export async function privateApt(directory: string, suites: readonly string[], architecture: Architecture) {
  const archive = await machineArchive();
  for (const part of ['etc/parts', 'state', 'lists/partial', 'cache/archives/partial']) {
    await mkdir(join(directory, part), { recursive: true });
  }
  const sources = suites.map((suite) => {
    const uri = suite.endsWith('-security') ? archive.security : archive.main;
    return `deb [arch=${architecture} signed-by=${KEYRING}] ${uri} ${suite} main\n`;
  });
  await writeFile(join(directory, 'etc/sources.list'), sources.join(''));
  const settings = [
    `Dir::Etc::sourcelist=${directory}/etc/sources.list`,
    `Dir::Etc::sourceparts=${directory}/etc/parts`,
    `Dir::State=${directory}/state`,
    `Dir::State::lists=${directory}/lists`,
    'Dir::State::status=/dev/null',
    `Dir::Cache=${directory}/cache`,
    'Dir::Cache::pkgcache=pkgcache.bin',
    `APT::Architecture=${architecture}`,
    `APT::Architectures=${architecture}`,
    'APT::Sandbox::User=root',
    'Acquire::Languages=none',
    'Acquire::Retries=2',
    'Acquire::http::Timeout=30',
    // A suite that is no longer maintained keeps its last Release file, whose date has run out.
    'Acquire::Check-Valid-Until=false',
  ].flatMap((setting) => ['-o', setting]);
  return (tool: string, args: readonly string[], options: { cwd?: string; reject?: boolean } = {}) =>
    execa(tool, [...settings, ...args], { ...options, timeout: 300_000, env: { LC_ALL: 'C' } });
}

/** Where this machine's own apt gets Debian and its security updates from. */
export async function machineArchive(): Promise<{ main: string; security: string }> {
  const format = '$(CREATED_BY) $(REPO_URI) $(RELEASE) $(COMPONENT)';
  const { stdout } = await execa('apt-get', ['indextargets', '--format', format]);
  const targets = stdout.split('\n').map((line) => line.split(' '));
  const uriOf = (accept: (release: string, uri: string) => boolean) =>
    targets.find(
      ([by, uri = '', release = '', component]) => by === 'Packages' && component === 'main' && accept(release, uri),
    )?.[1];
  const main = uriOf((release, uri) => DEBIAN_RELEASE.test(release) && /\/debian\/?$/.test(uri));
  if (main === undefined) throw new Error("this machine's apt has no source of Debian itself");
  return { main, security: uriOf((release) => release.endsWith('-security')) ?? main };
}

const MAX_AGE_DAYS = 7;
const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';
const DEBIAN_RELEASE = /^(?:bullseye|bookworm|trixie|forky|duke|sid|stable|oldstable|testing|unstable)$/;
