/** The guest's whole file system: busybox for a shell, and what is to be run with the libraries it needs. */
import { chmod, copyFile, cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { execa } from 'execa';

/** What to put where: the key is the path in the guest, the value a file or folder of this machine. */
export type GuestFiles = ReadonlyMap<string, string>;

/** Packs `files`, `script` as /guest/script, and the init of this folder into the cpio archive `output`. */
export async function writeInitramfs(output: string, files: GuestFiles, script: string): Promise<void> {
  const root = await mkdtemp(join(tmpdir(), 'tlsnap-initramfs-'));
  try {
    const all = new Map([['/init', join(import.meta.dirname, 'init.sh')], ['/bin/busybox', '/bin/busybox'], ...files]);
    for (const [guest, host] of all) {
      const target = join(root, guest);
      await mkdir(dirname(target), { recursive: true });
      await cp(host, target, { recursive: true, dereference: true, preserveTimestamps: true });
    }
    await chmod(join(root, 'init'), 0o755);
    await mkdir(join(root, 'guest'), { recursive: true });
    await writeFile(join(root, 'guest/script'), script);
    await pack(root, output);
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

/** A program of this machine with its loader and shared libraries, each at the same path as here. */
export async function programFiles(path: string): Promise<Map<string, string>> {
  const { stdout } = await execa('ldd', [path], { env: { LC_ALL: 'C' } });
  const libraries = [...stdout.matchAll(/(?:=>\s|^\s*)(\/\S+)\s\(0x/gm)].map((match) => match[1] ?? '');
  return new Map([path, ...libraries].map((file) => [file, file]));
}

async function pack(root: string, output: string): Promise<void> {
  const names = await execa('find', ['.', '-mindepth', '1', '-print0'], { cwd: root });
  await execa('cpio', ['--null', '--create', '--format=newc', '--owner=0:0', '--quiet', '--file', `${output}.new`], {
    cwd: root,
    input: names.stdout,
  });
  await copyFile(`${output}.new`, output);
  await rm(`${output}.new`);
}
