import { readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { reasonAgainstCommands, reasonAgainstLiveTests, testUnless } from '../left-out.js';
import { assertVerifies, only, onPort } from './judge.js';
import { cgroup2Mount, freePort, makeCertificate, openStage, until } from './live.js';
import { compileActor, startTlsServer, writeHello } from './programs.js';

// Processes that live in namespaces and cgroups as containers do. Pids and inodes are what /proc says from outside.

const reason = reasonAgainstLiveTests() ?? reasonAgainstCommands('cc', 'openssl', 'unshare', 'ip');

testUnless(reason, 'processes in other network and pid namespaces have host pids and their namespaces', async (t) => {
  const stage = await openStage(t);
  const { keyFile, certFile } = await makeCertificate(stage.directory);
  const client = await compileActor(stage.directory, 'hello-client');
  const hello = await writeHello(stage.directory);
  const port = await freePort();
  const inside = [
    'ip link set lo up',
    `openssl s_server -quiet -accept ${port} -key ${keyFile} -cert ${certFile} &`,
    'sleep 1',
    `${client} ${port} ${hello.file} 3000`,
  ].join('\n');
  const seen = { pid: 0, net: 0, pidNamespace: 0, inner: 0 };
  const captured = await stage.capture(async () => {
    const box = stage.start('unshare', ['--net', '--pid', '--fork', '--mount-proc', 'sh', '-c', inside]);
    await until('the client lives', 15_000, () => {
      const pid = pidsOf(stage.cgroup).find((one) => readlinkSync(`/proc/${one}/exe`) === client);
      if (pid === undefined) return false;
      const inner = /^NSpid:\t\d+\t(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1];
      Object.assign(seen, { pid, net: inodeOf(pid, 'net'), pidNamespace: inodeOf(pid, 'pid'), inner: Number(inner) });
      return true;
    });
    await box.process.catch(() => undefined);
  });
  const events = onPort(captured.handshakes, port);
  const sent = only(
    t,
    events.filter(({ kind, role }) => kind === 'client' && role === 'client'),
    'ClientHello',
  );
  t.is(sent.process?.pid, seen.pid);
  t.is(sent.process?.exe, client);
  t.is(sent.flow.netns, seen.net);
  t.not(sent.flow.netns, inodeOf(process.pid, 'net'));
  t.true(events.every(({ flow }) => flow.netns === seen.net));
  const row = only(
    t,
    captured.processes.filter(({ pid }) => pid === seen.pid),
    'row',
  );
  t.is(row.namespaces?.net, seen.net);
  t.is(row.namespaces?.pid, seen.pidNamespace);
  t.deepEqual(row.nsPids, [seen.pid, seen.inner]);
  await assertVerifies(t, captured.path);
});

testUnless(reason, 'the kernel alone tells the pid namespace and the pid in it', async (t) => {
  const stage = await openStage(t);
  const client = await compileActor(stage.directory, 'hello-client');
  const { port } = await startTlsServer(stage);
  const hello = await writeHello(stage.directory);
  const inside = `readlink /proc/self/ns/pid; ${client} ${port} ${hello.file}; true`;
  let namespace = 0;
  const captured = await stage.capture(async () => {
    const { stdout } = await stage.run('unshare', ['--pid', '--fork', '--mount-proc', 'sh', '-c', inside]);
    namespace = Number(/\d+/.exec(String(stdout))?.[0]);
  });
  const row = only(
    t,
    captured.processes.filter(({ exe }) => exe === client),
    'row',
  );
  t.is(row.namespaces?.pid, namespace);
  // 1 is the shell, 2 readlink.
  t.deepEqual(row.nsPids, [row.pid, 3]);
});

testUnless(reason, 'cgroups named as container runtimes name them tell container, pod and unit', async (t) => {
  const stage = await openStage(t);
  const client = await compileActor(stage.directory, 'hello-client');
  const hello = await writeHello(stage.directory);
  const { port } = await startTlsServer(stage);
  const id = '3f4a9c'.padEnd(64, '0123456789abcdef');
  const pod = '0a1b2c3d_1111_2222_3333_444455556666';
  const cases = [
    { name: `system.slice/docker-${id}.scope`, container: id, runtime: 'docker' },
    {
      name: `kubepods.slice/kubepods-pod${pod}.slice/cri-containerd-${id}.scope`,
      container: id,
      runtime: 'containerd',
    },
    { name: `machine.slice/libpod-${id}.scope`, container: id, runtime: 'podman' },
  ] as const;
  const pids: (number | undefined)[] = [];
  const captured = await stage.capture(async () => {
    for (const { name } of cases) {
      const running = stage.run(client, [String(port), hello.file, '1200'], { cgroup: stage.childCgroup(name) });
      pids.push(running.pid);
      await running.catch(() => undefined);
    }
  });
  for (const [index, { name, container, runtime }] of cases.entries()) {
    const path = `${stage.cgroup.slice(cgroup2Mount().length)}/${name}`;
    const event = only(
      t,
      onPort(captured.handshakes, port).filter(
        ({ kind, role, process: owner }) => kind === 'client' && role === 'client' && owner?.pid === pids[index],
      ),
      name,
    );
    t.is(event.process?.cgroup, path);
    t.is(event.process?.container, container);
    const row = captured.processes.find(({ pid }) => pid === pids[index]);
    t.is(row?.cgroup, path);
    t.is(row?.container?.id, container);
    t.is(row?.container?.runtime, runtime);
  }
  const inPod = captured.processes.find(({ pid }) => pid === pids[1]);
  t.is(inPod?.container?.podUid ?? null, pod.replaceAll('_', '-'));
});

function inodeOf(pid: number, kind: string): number {
  return Number(/\d+/.exec(readlinkSync(`/proc/${pid}/ns/${kind}`))?.[0]);
}

function pidsOf(cgroup: string): number[] {
  return readFileSync(join(cgroup, 'cgroup.procs'), 'latin1').split('\n').filter(Boolean).map(Number);
}
