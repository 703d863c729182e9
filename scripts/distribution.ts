/** What an installed tlsnap consists of: the compiled command line, its production dependencies, and the built parts. */
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * Every file of an installation, sorted by its path below the installation's root, with the file it is copied from.
 *
 * @throws Error where something is not built or not installed; its message says what
 */
export async function distributionFiles(project: string): Promise<Map<string, string>> {
  const files: string[] = [];
  for (const path of [...PARTS, ...(await productionPackages(project))]) {
    const found = await filesAt(project, path);
    if (found.length === 0) throw new Error(`${path}: is missing; npm run setup and npm run build make it`);
    files.push(...found);
  }
  return new Map(files.sort().map((path) => [path, join(project, path)]));
}

/** Folders of node_modules that package-lock.json holds for more than development, and that this platform has. */
async function productionPackages(project: string): Promise<string[]> {
  const lock = JSON.parse(await readFile(join(project, 'package-lock.json'), 'utf8')) as Lock;
  const wanted = Object.entries(lock.packages).filter(
    ([path, entry]) => path !== '' && !NOT_BUILT.has(path) && entry.dev !== true && entry.devOptional !== true,
  );
  const present = await Promise.all(
    wanted.map(async ([path, entry]) => entry.optional !== true || (await exists(join(project, path)))),
  );
  return wanted.map(([path]) => path).filter((_, index) => present[index]);
}

async function filesAt(project: string, path: string): Promise<string[]> {
  const facts = await stat(join(project, path)).catch(() => undefined);
  if (facts === undefined) return [];
  if (facts.isFile()) return [path];
  const entries = await readdir(join(project, path), { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(project.length + 1))
    .filter((file) => !NEVER_RUN.test(file) && !isNestedPackage(path, file));
}

/** A package inside another's node_modules has an entry of its own in the lock. */
function isNestedPackage(folder: string, file: string): boolean {
  return folder.startsWith('node_modules/') && file.slice(folder.length).includes('/node_modules/');
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}

interface Lock {
  readonly packages: Readonly<Record<string, { dev?: boolean; devOptional?: boolean; optional?: boolean }>>;
}

const PARTS = [
  'LICENSE',
  'LICENSES',
  'bin',
  'bpf/build/tlsnap.bpf.o',
  'bpf/build/tlsnap-direct.bpf.o',
  'dist',
  'native/build/tlsnap.node',
  'oclif.manifest.json',
  'package.json',
  'schemas',
];
/** Types, source maps, manuals, addons for another JavaScript runtime, and builds of a package for other module systems. */
const NEVER_RUN =
  /\.(?:[cm]?ts|map|tsbuildinfo|flow)$|\/prebuilds\/|\/(?:readme|changelog|history)[^/]*$|\/csv-\w+\/dist\/(?:cjs|iife|umd)\/|\/luxon\/(?:src|build\/(?:amd|cjs-browser|global))\//i;
/** Optional to ssh2, which does without: addons that npm would compile on the spot. */
const NOT_BUILT = new Set(['node_modules/buildcheck', 'node_modules/cpu-features', 'node_modules/nan']);
