import { realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { distributionFiles } from '../distribution.js';
import { programFiles } from './initramfs.js';

/** The built tlsnap, this machine's Node, and the libraries of both; in the guest `tlsnap` is `node /opt/tlsnap/bin/run.js`. */
export async function guestCli(project: string): Promise<Map<string, string>> {
  const node = await realpath(process.execPath);
  const libraries = [...(await programFiles(node)), ...(await programFiles(join(project, 'native/build/tlsnap.node')))];
  const installed = await distributionFiles(project);
  return new Map([
    ...libraries.filter(([path]) => path.includes('.so')),
    ['/usr/bin/node', node],
    ...[...installed].map(([path, file]): [string, string] => [join('/opt/tlsnap', path), file]),
  ]);
}
