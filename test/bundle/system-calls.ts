import { resolve } from 'node:path';

// What a process and its children did, as `strace -f -yy` wrote it down.

/** For strace: threads and children too, descriptors with what they are, and the calls that leave something on a host. */
export const STRACE = ['-f', '-yy', '-s', '4096', '-e', 'trace=%file,%network,bpf,io_uring_setup,fsopen,move_mount'];

/** Each call on one line, without its process: strace splits a call that another thread's interrupts. */
export function wholeCalls(trace: string): string[] {
  const begun = new Map<string, string>();
  return trace.split('\n').flatMap((line) => {
    const [, thread = '', text = ''] = /^(\d+) +(.*)$/.exec(line) ?? [];
    const [, start] = /^(.*) <unfinished \.\.\.>$/.exec(text) ?? [];
    if (start !== undefined) {
      begun.set(thread, start);
      return [];
    }
    const [, rest] = /^<\.\.\. \w+ resumed>(.*)$/.exec(text) ?? [];
    return [rest === undefined ? text : `${begun.get(thread) ?? ''}${rest}`];
  });
}

/**
 * Every path that was opened for writing, made, changed or taken away; what failed has changed nothing.
 *
 * @param folder the working directory, which is taken to stay the same
 */
export function pathsChanged(calls: readonly string[], folder: string): string[] {
  return calls
    .filter((call) => !/ = -1 E/.test(call))
    .flatMap((call) => {
      if (OPENS.test(call)) return WRITES.test(call) ? [/ = \d+<(.*)>/.exec(call)?.[1] ?? call] : [];
      if (!CHANGES.test(call)) return [];
      return [...call.matchAll(/(?:<([^>]*)>, )?"([^"]*)"/g)].map(([, at = folder, name = '']) => resolve(at, name));
    });
}

const OPENS = /^(?:open|creat)/;
/** O_TMPFILE too: its name has no O_CREAT in it, and it needs one of the first two. */
const WRITES = /^creat|O_WRONLY|O_RDWR|O_CREAT|O_TRUNC|O_APPEND/;
const CHANGES =
  /^(?:f?s?(?:mkdir|rmdir|rename|unlink|link|symlink|mknod|truncate|chmod|chown|utime)|lchown|futimesat|[lf]?(?:set|remove)xattr|u?mount|pivot_root|swapon|acct)/;
