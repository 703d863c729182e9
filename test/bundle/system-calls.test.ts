import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { reasonAgainstCommands, testUnless } from '../left-out.js';
import { temporaryDirectory } from './bare-host.js';
import { pathsChanged, STRACE, wholeCalls } from './system-calls.js';

const reason = reasonAgainstCommands('strace', 'python3');

testUnless(
  reason,
  'what a thread or a child changes by any call is found in a trace, and what it reads is not',
  async (t) => {
    const folder = await temporaryDirectory(t);
    const log = join(folder, 'strace');
    await execa('strace', [...STRACE, '-o', log, 'python3', '-c', CHANGES_ALL], { cwd: folder });
    const changed = pathsChanged(wholeCalls(await readFile(log, 'utf8')), folder);
    const expected = ['made', 'by-thread', 'by-child', 'by-openat2', 'folder', 'folder/inner', 'moved', 'hard', 'soft'];
    for (const name of expected) t.true(changed.includes(join(folder, name)), name);
    t.false(
      changed.some((path) => path.endsWith('/absent/x') || path === '/etc/passwd'),
      changed.join('\n'),
    );
  },
);

const CHANGES_ALL = `
import ctypes, os, struct, threading
open('made', 'w').close()
thread = threading.Thread(target=lambda: open('by-thread', 'a').close())
thread.start()
thread.join()
if os.fork() == 0:
    open('by-child', 'x').close()
    os._exit(0)
os.wait()
how = struct.pack('QQQ', os.O_CREAT | os.O_RDWR, 0o600, 0)
ctypes.CDLL(None).syscall(437, -100, b'by-openat2', how, len(how))
os.mkdir('folder')
inner = os.open('folder', os.O_RDONLY)
os.close(os.open('inner', os.O_CREAT | os.O_WRONLY, dir_fd=inner))
os.rename('made', 'moved')
os.link('moved', 'hard')
os.symlink('moved', 'soft')
open('/etc/passwd').close()
try:
    open('absent/x', 'w')
except OSError:
    pass
`;
