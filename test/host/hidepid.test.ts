import { execFileSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import type { SocketSweep } from '../../src/procfs/socket-sweep.js';
import type { Host } from '../../src/snapshot/schema/host.js';
import type { Process } from '../../src/snapshot/schema/process.js';
import { reasonAgainstCommands, testUnless } from '../left-out.js';
import { becomes, reasonAgainstRoot, start } from '../procfs/live-process.js';

const NOBODY = '65534';
const reason =
  reasonAgainstRoot ??
  reasonAgainstCommands('unshare', 'setpriv', 'mount') ??
  reasonAgainstReading(import.meta.dirname);

interface View {
  row: Process;
  own: Process;
  sockets: SocketSweep;
  self: Host['self'];
}

/** What a user without privileges sees where /proc is mounted with `option`, in a mount namespace of its own. */
function viewOfNobody(pid: number, option: string): View {
  const node = [process.execPath, '--import=tsx', join(import.meta.dirname, 'hidepid-view.ts'), String(pid)];
  const drop = ['setpriv', '--reuid', NOBODY, '--regid', NOBODY, '--clear-groups', ...node];
  const script = `mount -t proc -o ${option} proc /proc && exec "$@"`;
  const args = ['--mount', '--propagation', 'private', 'sh', '-c', script, 'sh', ...drop];
  return JSON.parse(execFileSync('unshare', args, { encoding: 'utf8', timeout: 60_000 })) as View;
}

testUnless(reason, 'with hidepid=invisible a process of another user is missing, and why is said', async (t) => {
  const { pid } = start(t, 'sleep', ['60']);
  await becomes(pid, 'sleep');
  const view = viewOfNobody(pid, 'hidepid=invisible');
  t.deepEqual(view.row.errors, [{ field: 'process', code: 'ENOENT' }]);
  t.deepEqual(view.own.errors, []);
  t.is(view.self.hidepid, 'invisible');
  t.true(view.self.notes.some((note) => note.includes('hidepid=invisible')));
  t.is(view.sockets.hidepid, 'invisible');
});

testUnless(reason, 'without it a process of another user is there, and each field that is not says so', async (t) => {
  const { pid } = start(t, 'sleep', ['60']);
  await becomes(pid, 'sleep');
  const { row, sockets, self } = viewOfNobody(pid, 'hidepid=off');
  t.like(row, { comm: 'sleep', cmdline: ['sleep', '60'], uid: 0, exe: null, sockets: null });
  const denied = row.errors.filter(({ code }) => code === 'EACCES').map(({ field }) => field);
  t.true(['exe', 'cwd', 'root', 'sockets', 'maps', 'namespaces.net'].every((field) => denied.includes(field)));
  t.true(sockets.processesUnreadable > 0);
  t.is(self.hidepid, null);
});

function reasonAgainstReading(folder: string): string | undefined {
  try {
    accessSync(folder, constants.R_OK);
    execFileSync('setpriv', ['--reuid', NOBODY, '--regid', NOBODY, '--clear-groups', 'ls', folder], {
      stdio: 'ignore',
    });
    return undefined;
  } catch {
    return 'this folder cannot be read by a user without privileges';
  }
}
