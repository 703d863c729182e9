import { fork, type ChildProcess, type ForkOptions } from 'node:child_process';
import type { Socket } from 'node:net';

/**
 * Starts a module of ours as a process that is talked to by messages alone. Its standard streams are pipes that nobody
 * reads, and that do not keep this process alive: for "ignore" Node opens /dev/null, which an empty chroot does not have.
 */
export function startOwnProcess(module: string, options: Pick<ForkOptions, 'serialization'> = {}): ChildProcess {
  const child = fork(module, [], { ...options, stdio: ['pipe', 'pipe', 'pipe', 'ipc'] });
  for (const stream of [child.stdin, child.stdout, child.stderr]) (stream as Socket | null)?.unref();
  return child;
}
