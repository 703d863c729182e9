/**
 * The lines of a kernel log that say the kernel itself went wrong, each with what follows it up to `context` lines.
 * A warning about its own boot parameters or the emulated machine is not one.
 */
export function findSplats(dmesg: string, context = 20): string[] {
  const lines = dmesg.split(/\r?\n/);
  return lines.flatMap((line, index) => (SPLAT.test(line) ? [lines.slice(index, index + context).join('\n')] : []));
}

const SPLAT =
  /\b(?:WARNING: (?:CPU|possible|suspicious|inconsistent|bad unlock)|BUG: |kernel BUG at|Oops: |Kernel panic|general protection fault|unable to handle|refcount_t: |INFO: (?:task|rcu)|rcu: INFO: |UBSAN: |KASAN: |scheduling while atomic|soft lockup)/;
