/** Fetches the kernels of the matrix ahead of its tests, which can only skip what they know to be missing at once. */
import { join, resolve } from 'node:path';
import { fetchKernel, KERNEL_RELEASES } from './debian.js';

const cache = join(resolve(import.meta.dirname, '../..'), '.cache/kernels');
for (const release of KERNEL_RELEASES) {
  try {
    const kernel = await fetchKernel(release, cache);
    console.log(`kernel ${kernel.name}: ${kernel.package}${kernel.note === undefined ? '' : ` (${kernel.note})`}`);
  } catch (error) {
    console.log(error instanceof Error ? error.message : error);
  }
}
