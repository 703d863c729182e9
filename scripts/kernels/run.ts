/**
 * Boots the kernels of the matrix by hand:
 *
 *   node --import tsx scripts/kernels/run.ts --load bpf/build/tlsnap.bpf.o [--set NAME=NUMBER]... [--skip PROGRAM]...
 *   node --import tsx scripts/kernels/run.ts --exec SCRIPT [--bundle] [--program PATH]... [--file GUEST=HOST]... [--output DIR]
 *
 * --bundle brings along what `npm run bundle` made, as /opt/tlsnap. Both take --kernel NAME (again and again; all without it), --cmdline TEXT, --timeout SECONDS and --verbose.
 * The exit code is 1 where a guest's script failed, or its kernel complained.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { bundleFolder } from '../bundle/folder.js';
import { bootKernel, type GuestResult } from './boot.js';
import { fetchKernel, KERNEL_RELEASES } from './debian.js';
import { programFiles } from './initramfs.js';
import { guestLoader } from './loader.js';

const { values: flags } = parseArgs({
  options: {
    load: { type: 'string' },
    set: { type: 'string', multiple: true, default: [] },
    skip: { type: 'string', multiple: true, default: [] },
    exec: { type: 'string' },
    bundle: { type: 'boolean', default: false },
    program: { type: 'string', multiple: true, default: [] },
    file: { type: 'string', multiple: true, default: [] },
    kernel: { type: 'string', multiple: true, default: KERNEL_RELEASES.map(({ name }) => name) },
    cmdline: { type: 'string', default: '' },
    timeout: { type: 'string', default: '60' },
    output: { type: 'string' },
    verbose: { type: 'boolean', default: false },
  },
});
const project = resolve(import.meta.dirname, '../..');
const cache = join(project, '.cache/kernels');

const files = new Map<string, string>();
if (flags.bundle) files.set('/opt/tlsnap', await bundleFolder(project));
for (const program of flags.program) for (const [guest, host] of await programFiles(program)) files.set(guest, host);
for (const word of flags.file) {
  const [guest = '', host = ''] = word.split('=', 2);
  files.set(guest, resolve(host));
}
const script = await guestScript();

let failed = false;
for (const release of KERNEL_RELEASES.filter(({ name }) => flags.kernel.includes(name))) {
  const kernel = await fetchKernel(release, cache);
  console.log(`== ${kernel.name}: ${kernel.package}${kernel.note ? ` (${kernel.note})` : ''}`);
  const { cmdline } = flags;
  const result = await bootKernel({ kernel, files, script, cmdline, timeoutSeconds: Number(flags.timeout) });
  console.log(flags.verbose || result.status === null ? result.serial : result.output);
  for (const splat of result.splats) console.log(`the kernel complained:\n${splat}`);
  if (result.status !== 0) console.log(`the script ended with ${String(result.status)}`);
  failed ||= result.status !== 0 || result.splats.length > 0;
  if (flags.output !== undefined) await save(result, join(flags.output, kernel.name));
}
process.exitCode = failed ? 1 : 0;

async function guestScript(): Promise<string> {
  if (flags.exec !== undefined) return readFile(flags.exec, 'utf8');
  if (flags.load === undefined) throw new Error('say --load OBJECT or --exec SCRIPT');
  for (const [guest, host] of await guestLoader(cache)) files.set(guest, host);
  files.set('/guest/object.bpf.o', resolve(flags.load));
  const words = [
    ...flags.set.flatMap((word) => ['--set', word]),
    ...flags.skip.flatMap((word) => ['--skip', word]),
  ].map((word) => `'${word}'`);
  return `/guest/load-object ${words.join(' ')} /guest/object.bpf.o\n`;
}

async function save(result: GuestResult, directory: string): Promise<void> {
  const all = [...result.files, ['dmesg', result.dmesg], ['serial', result.serial]] as const;
  for (const [name, content] of all) {
    await mkdir(dirname(join(directory, name)), { recursive: true });
    await writeFile(join(directory, name), content);
  }
}
