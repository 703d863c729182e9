/** Other releases of Debian, by debootstrap from this machine's own package source: hosts for the bundle to run on. */
import { existsSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { machineArchive } from '../kernels/debian.js';

/** An older C library than the bundle's own, and a newer one. */
export const USERLANDS = ['bullseye', 'trixie'] as const;

/** The root folder of a minimal system; made in `cache` when it is not there. Needs root. */
export async function fetchUserland(name: (typeof USERLANDS)[number], cache: string): Promise<string> {
  const root = userlandFolder(name, cache);
  if (existsSync(root)) return root;
  const unfinished = `${root}.unfinished`;
  await rm(unfinished, { recursive: true, force: true });
  await mkdir(cache, { recursive: true });
  const { main } = await machineArchive();
  await execa('debootstrap', ['--variant=minbase', name, unfinished, main], { timeout: 600_000 });
  await rename(unfinished, root);
  return root;
}

export function userlandFolder(name: string, cache: string): string {
  return join(cache, name);
}
