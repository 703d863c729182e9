import { existsSync } from 'node:fs';
import { readdir, readFile, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ExecutionContext } from 'ava';
import { execa } from 'execa';
import { reasonAgainstCommands, reasonAgainstLiveTests, testUnless } from '../left-out.js';
import { attachedTo, attachOther, heldBy, pinned, stillThere, type BpfIds } from './bpf-objects.js';
import { assertVerifies } from './judge.js';
import { openStage, readCaptured, type OpenCapture, TLSNAP, until } from './live.js';
import { assertAsSaid, startEnds } from './network.js';

// How a capture ends. Which programs, links and maps are its own is what the kernel says of its descriptors while it runs;
// whether they are gone is bpftool's word.

const reason = reasonAgainstLiveTests() ?? reasonAgainstCommands('bpftool', 'clang', 'python3');

for (const end of ['the end of its time', 'SIGINT', 'SIGTERM'] as const) {
  testUnless(reason, `${end} leaves a whole snapshot, and nothing in the kernel`, async (t) => {
    const stage = await openStage(t);
    const ends = await startEnds(stage);
    const capture = await stage.openCapture({ window: end === 'the end of its time' ? '4s' : '90s' });
    const ids = idsOf(t, capture);
    await ends.connect('end.example');
    if (end !== 'the end of its time') capture.process.kill(end);
    const { snapshot, handshakes, exitCode, path } = await capture.finished();
    t.is(exitCode, 0);
    t.is(snapshot.manifest.window.endedBy, end === 'the end of its time' ? 'elapsed' : 'signal');
    assertAsSaid(t, handshakes, ends);
    await assertVerifies(t, path);
    t.deepEqual(await stillThere(ids), []);
    t.deepEqual(await attachedTo(stage.cgroup), []);
    t.deepEqual(
      (await readdir(stage.directory)).filter((name) => /spool|partial/.test(name)),
      [],
    );
    // What the snapshot says of it is what was there.
    const host = await snapshot.host();
    t.deepEqual(
      host?.bpf?.before?.programs
        .filter(({ ours }) => ours)
        .map(({ id }) => id)
        .sort(),
      [...ids.prog].sort(),
    );
    t.deepEqual(
      host?.bpf?.after?.links.filter(({ ours }) => ours),
      [],
    );
  });
}

testUnless(reason, 'SIGKILL leaves the spool, and nothing in the kernel', async (t) => {
  const stage = await openStage(t);
  const before = await pinned();
  const ends = await startEnds(stage);
  const capture = await stage.openCapture();
  const ids = idsOf(t, capture);
  await ends.connect('killed.example');
  // The spool is made durable every second.
  await sleep(1500);
  capture.process.kill('SIGKILL');
  await capture.process;
  t.deepEqual(await stillThere(ids), []);
  t.deepEqual(await attachedTo(stage.cgroup), []);
  t.deepEqual(await pinned(), before);
  t.false(existsSync(capture.path));
  const spool = `${capture.path}.spool`;
  const [segment = ''] = await readdir(spool);
  const kept = await readFile(join(spool, segment));
  for (const hello of ends.clientSaid()[0]?.sent ?? [])
    t.true(kept.includes(Buffer.from(hello, 'hex')), 'the hello is in the spool');

  // Another capture of the same name must not touch that.
  const args = ['capture', '--cgroup', stage.cgroup, '--window', '1s', '--output', capture.path];
  const { exitCode, stderr } = await execa(process.execPath, [TLSNAP, ...args], { reject: false, timeout: 60_000 });
  t.is(exitCode, 74);
  t.regex(stderr.replaceAll(/\s*\n\s*›?\s*/g, ' '), /exists already.*tlsnap recover /);
  t.deepEqual(await readFile(join(spool, segment)), kept);
});

testUnless(
  reason,
  "somebody else's program on the same cgroup stays, and sees every packet, through every end",
  async (t) => {
    const stage = await openStage(t);
    const seen = await attachOther(t, stage.directory, stage.cgroup);
    const ends = await startEnds(stage);
    for (const signal of ['SIGINT', 'SIGKILL'] as const) {
      const capture = await stage.openCapture();
      t.deepEqual(await attachedTo(stage.cgroup), [
        'other_egress',
        'tlsnap_egress_direct',
        'tlsnap_ingress_direct',
        'tlsnap_sockops',
      ]);
      const start = await seen();
      await ends.connect('beside.example');
      const during = await seen();
      t.true(during - start >= 10, `${during - start} packets while the capture ran`);
      capture.process.kill(signal);
      await capture.process;
      await ends.connect('after.example');
      t.true((await seen()) - during >= 10);
      t.deepEqual(await attachedTo(stage.cgroup), ['other_egress']);
    }
  },
);

testUnless(reason, 'programs that are taken off their hooks in the window are told, and it ends with 1', async (t) => {
  const stage = await openStage(t);
  const child = stage.childCgroup('brief');
  const byForce = await stage.openCapture();
  const removed = await stage.openCapture({ cgroup: child });
  const [link] = idsOf(t, byForce).link;
  await execa('bpftool', ['link', 'detach', 'id', String(link)]);
  await rmdir(child);
  for (const [capture, programs] of [
    [byForce, 1],
    [removed, 3],
  ] as const) {
    await until('what happened is seen', 10_000, async () => (await readSpool(capture)).includes('"note":"detached"'));
    capture.process.kill('SIGINT');
    const { snapshot, exitCode, path } = await capture.finished();
    t.is(exitCode, 1);
    const { limits, lossesByKind } = snapshot.manifest.coverage;
    t.deepEqual(lossesByKind, { 'kernel.programs-detached': programs });
    t.is(limits.filter((limit) => /tlsnap_\w+.* had been taken off, or the cgroup was removed/.test(limit)).length, 1);
    await assertVerifies(t, path);
  }
});

testUnless(reason, 'two captures of the same cgroup at once see the same, and neither ends the other', async (t) => {
  const stage = await openStage(t);
  const ends = await startEnds(stage);
  const first = await stage.openCapture();
  const second = await stage.openCapture();
  await ends.connect('both.example');
  first.process.kill('SIGINT');
  const one = await first.finished();
  await ends.connect('second.example');
  second.process.kill('SIGINT');
  const two = await second.finished();
  t.deepEqual(one.handshakes.map(identity), two.handshakes.slice(0, 4).map(identity));
  assertAsSaid(t, two.handshakes, ends);
});

testUnless(reason, 'Ctrl-C twice ends the command, and nothing stays in the kernel', async (t) => {
  const stage = await openStage(t);
  const capture = await stage.openCapture();
  const ids = idsOf(t, capture);
  capture.process.kill('SIGINT');
  await sleep(30);
  capture.process.kill('SIGINT');
  const { signal, exitCode, stderr } = await capture.process;
  // Either it was done already, or the second one ended it.
  t.true(signal === 'SIGINT' || exitCode === 0 || exitCode === 130, `${signal} ${exitCode}`);
  t.deepEqual(await stillThere(ids), []);
  t.true(existsSync(capture.path) || stderr.includes(`tlsnap recover ${capture.path}.spool`), stderr);
});

testUnless(reason, '--output - writes the snapshot to stdout, and nothing to a disk', async (t) => {
  const stage = await openStage(t);
  const ends = await startEnds(stage);
  const spools = () => readdir('/dev/shm').then((names) => names.filter((name) => name.startsWith('tlsnap-')));
  const before = await spools();
  const command = execa(
    process.execPath,
    [TLSNAP, 'capture', '--cgroup', stage.cgroup, '--window', '60s', '--output', '-', '--verbose'],
    { cwd: stage.directory, encoding: 'buffer', timeout: 60_000 },
  );
  const names = await readdir(stage.directory);
  await new Promise<void>((resolve) => {
    command.stderr.on('data', (chunk: Buffer) => {
      if (chunk.toString().includes('armed')) resolve();
    });
  });
  await ends.connect('stream.example');
  command.kill('SIGINT');
  const { stdout } = await command;
  t.deepEqual(
    (await readdir(stage.directory)).filter((name) => !/^(client|server)-/.test(name)),
    names.filter((name) => !/^(client|server)-/.test(name)),
  );
  t.deepEqual(await spools(), before);
  const path = `${stage.directory}/from-stdout.tlsnap.tar.gz`;
  await execa('sh', ['-c', 'cat > "$0"', path], { input: stdout });
  await assertVerifies(t, path);
  const { handshakes } = await readCaptured(path);
  assertAsSaid(t, handshakes, ends);
});

function idsOf(t: ExecutionContext, capture: OpenCapture): BpfIds {
  const ids = heldBy(capture.process.pid ?? 0);
  t.true(ids.prog.length >= 3 && ids.link.length >= 3 && ids.map.length >= 3, JSON.stringify(ids));
  return ids;
}

function identity({
  kind,
  role,
  flow,
  hello,
  process: owner,
}: {
  kind: string;
  role: string | null;
  flow: object;
  hello: { raw: string };
  process: object | null;
}): unknown {
  return { kind, role, flow, raw: hello.raw, owner };
}

async function readSpool({ path }: OpenCapture): Promise<Buffer> {
  const segments = await readdir(`${path}.spool`);
  return Buffer.concat(await Promise.all(segments.map((name) => readFile(join(`${path}.spool`, name)))));
}
