import { basename } from 'node:path';
import { execa } from 'execa';
import { reasonAgainstCommands, reasonAgainstLiveTests, testUnless } from '../left-out.js';
import { attachOther, heldBy } from './bpf-objects.js';
import { openStage } from './live.js';

// Whose BPF is beside ours. What is attached and by which id is bpftool's word; who holds what, the kernel's, by the
// descriptors of the process that was started.

const reason = reasonAgainstLiveTests() ?? reasonAgainstCommands('bpftool', 'clang');

interface Shown {
  readonly id: number;
  readonly attach_type: string;
  readonly name: string;
}

testUnless(reason, 'who is on our hooks too is listed, with a link or without, and who holds it open', async (t) => {
  const stage = await openStage(t);
  await attachOther(t, stage.directory, stage.cgroup);
  const below = stage.childCgroup('below');
  await attachOther(t, stage.directory, below);
  const first = await stage.openCapture();
  const held = heldBy(first.process.pid ?? 0);
  const { stdout } = await execa('bpftool', ['--json', 'cgroup', 'show', stage.cgroup]);
  const shown = JSON.parse(stdout) as Shown[];
  const captured = await stage.capture(() => Promise.resolve());
  first.process.kill('SIGINT');
  await first.process;

  const host = await captured.snapshot.host();
  const before = host?.bpf?.before;
  const own = `/${basename(stage.cgroup)}`;
  const ofOwn = before?.attachments?.filter(({ cgroup }) => cgroup === own) ?? [];
  t.deepEqual(
    ofOwn.map(({ attachType, programId }) => [attachType, programId]).sort(),
    shown.map(({ attach_type, id }) => [attach_type, id]).sort(),
  );
  const nameOf = (id: number) => before?.programs.find((program) => program.id === id)?.name;
  for (const { programId, linkId } of ofOwn) {
    if (nameOf(programId) === 'other_egress') t.is(linkId, null);
    else t.true(held.link.includes(linkId ?? 0), nameOf(programId) ?? '');
  }
  const [other] = before?.attachments?.filter(({ cgroup }) => cgroup === `${own}/below`) ?? [];
  t.is(nameOf(other?.programId ?? 0), 'other_egress');

  const owner = [{ pid: first.process.pid ?? 0, comm: 'node' }];
  for (const id of held.prog) t.deepEqual(before?.programs.find((program) => program.id === id)?.owners, owner);
  for (const id of held.link) t.deepEqual(before?.links.find((link) => link.id === id)?.owners, owner);
  // Pinned, and so held by nobody.
  t.deepEqual(before?.programs.find(({ id }) => id === other?.programId)?.owners, []);
  t.regex(captured.stderr, /^note {8}The hooks that tlsnap uses have \d+ BPF programs? of others too\.$/m);
  // When it ended, it knew the same of who was still there.
  t.deepEqual(host?.bpf?.after?.attachments, before?.attachments);
  t.deepEqual(host?.bpf?.after?.programs.find(({ id }) => id === held.prog[0])?.owners, owner);
});
