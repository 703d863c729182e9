import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { programFiles } from './initramfs.js';

/** Compiles load-object.c into `cache`, for the guest to run as /guest/load-object. */
export async function guestLoader(cache: string): Promise<Map<string, string>> {
  const loader = join(cache, 'load-object');
  await mkdir(cache, { recursive: true });
  await execa('cc', ['-O2', '-Wall', join(import.meta.dirname, 'load-object.c'), '-o', loader, '-lbpf']);
  const libraries = [...(await programFiles(loader))].filter(([path]) => path !== loader);
  return new Map([['/guest/load-object', loader], ...libraries]);
}
