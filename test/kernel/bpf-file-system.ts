import { chmodSync, mkdtempSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { execa } from 'execa';

/**
 * A BPF file system of the test's own, open to every user as /sys/fs/bpf is: not every host has mounted that one. It is
 * gone when the test is over, and with it all pins that were left.
 */
export async function openBpfFileSystem(t: ExecutionContext): Promise<string> {
  const directory = mkdtempSync(join(tmpdir(), 'tlsnap-bpffs-'));
  chmodSync(directory, 0o755);
  await execa('mount', ['-t', 'bpf', 'bpf', directory]);
  t.teardown(async () => {
    await execa('umount', [directory]);
    rmdirSync(directory);
  });
  return directory;
}
