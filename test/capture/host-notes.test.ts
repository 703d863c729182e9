import { HostNotes } from '../../src/capture/host-notes.js';
import type { Note } from '../../src/capture/notes.js';
import { HostReader } from '../../src/host/reader.js';
import { testUnless } from '../left-out.js';
import { reasonAgainstProc } from '../procfs/live-process.js';

testUnless(
  reasonAgainstProc,
  'where the process that lists the sockets is ended, that is a limit and no error',
  async (t) => {
    const reader = new HostReader();
    const notes: Note[] = [];
    const scope = { pid: null, ports: [], direction: null, netns: null } as never;
    const host = new HostNotes(reader, { mount: null, cgroup: '/', scope }, (note) => notes.push(note));
    const listed = host.sockets('end');
    reader.close();
    t.deepEqual(
      Object.values(await listed)
        .map((holders) => [...(holders as Iterable<unknown>)])
        .flat(),
      [],
    );
    const limits = notes.flatMap((note) => (note.note === 'limit' ? [note.text] : []));
    t.regex(
      limits.join(),
      /^At the end of the window not all sockets were listed, nor who holds BPF objects \([A-Z]+\)\.$/,
    );
  },
);
