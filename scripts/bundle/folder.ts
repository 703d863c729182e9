import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Where `npm run bundle` leaves the bundle unpacked; the archive is beside it, with `.tar.gz` behind its name. */
export async function bundleFolder(project: string, output = join(project, 'build')): Promise<string> {
  const { version } = JSON.parse(await readFile(join(project, 'package.json'), 'utf8')) as { version: string };
  return join(output, `tlsnap-${version}-linux-x64`);
}
