import type { Host } from '../snapshot/schema/host.js';

/** Decodes /proc/sys/kernel/tainted; null where it is not a number. A bit without a name is kept as `?`. */
export function parseTaint(text: string): Host['taint'] {
  if (!/^\d{1,20}\n?$/.test(text)) return null;
  const value = BigInt(text.trim());
  const flags = [];
  for (let bit = 0; bit < 64; bit++) {
    if (((value >> BigInt(bit)) & 1n) === 0n) continue;
    const [letter, meaning] = TAINTS[bit] ?? ['?', 'unknown to this version'];
    flags.push({ bit, letter, meaning });
  }
  return { value: String(value), flags };
}

/** By bit; from the kernel's Documentation/admin-guide/tainted-kernels.rst. */
const TAINTS: readonly (readonly [string, string])[] = [
  ['P', 'proprietary module was loaded'],
  ['F', 'module was force loaded'],
  ['S', 'kernel runs on an out of specification system'],
  ['R', 'module was force unloaded'],
  ['M', 'processor reported a machine check exception'],
  ['B', 'bad page referenced or unexpected page flags'],
  ['U', 'taint requested by a userspace application'],
  ['D', 'kernel died recently: an oops or a bug'],
  ['A', 'ACPI table overridden'],
  ['W', 'kernel issued a warning'],
  ['C', 'staging driver was loaded'],
  ['I', 'workaround for a bug in the platform firmware'],
  ['O', 'out-of-tree module was loaded'],
  ['E', 'unsigned module was loaded'],
  ['L', 'soft lockup occurred'],
  ['K', 'kernel was live patched'],
  ['X', 'auxiliary taint, defined by the distribution'],
  ['T', 'kernel was built with struct randomization'],
  ['N', 'an in-kernel test was run'],
  ['J', 'a mutating debug operation was used through fwctl'],
];
