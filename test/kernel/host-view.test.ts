import { execa } from 'execa';
import { reasonAgainstCommands, reasonAgainstLiveTests, testUnless } from '../left-out.js';
import { assertVerifies, onPort } from './judge.js';
import { armed, openStage, readCaptured, TLSNAP } from './live.js';
import { compileActor, startTlsServer, writeHello } from './programs.js';

// What a capture says of a host, or of a place on it, from which less is seen than there is. Who is hidden, the test knows.

const reason = reasonAgainstLiveTests() ?? reasonAgainstCommands('cc', 'openssl', 'unshare', 'mount');

testUnless(
  reason,
  'a process hidden behind a mount over /proc/PID is named by the kernel, and the mount is told',
  async (t) => {
    const stage = await openStage(t);
    const client = await compileActor(stage.directory, 'hello-client');
    const { file } = await writeHello(stage.directory);
    const { port } = await startTlsServer(stage);
    // It waits for a line, and becomes the client: the pid is the same.
    const hidden = stage.start('sh', ['-c', 'read line; exec "$@"', 'sh', client, String(port), file, '300']);
    const output = `${stage.directory}/covered.tlsnap.tar.gz`;
    const args = [TLSNAP, 'capture', '--cgroup', stage.cgroup, '--window', '60s', '--output', output, '--verbose'];
    const cover = `mount -t tmpfs none /proc/${hidden.pid} && exec "$@"`;
    const within = ['--mount', '--propagation', 'private', 'sh', '-c', cover, 'sh', process.execPath];
    const capture = execa('unshare', [...within, ...args], { reject: false, timeout: 80_000 });
    await armed(capture);
    hidden.process.stdin?.write('now\n');
    await hidden.process.catch(() => undefined);
    capture.kill('SIGINT');
    const { exitCode, stderr } = await capture;
    t.is(exitCode, 0, stderr);
    t.regex(stderr, new RegExp(`^note {8}Mounts lie over processes in /proc, and hide them: ${hidden.pid}\\.$`, 'm'));
    const { handshakes, processes } = await readCaptured(output);
    const [hello] = onPort(handshakes, port).filter(({ kind, role }) => kind === 'client' && role === 'client');
    t.like(hello?.process, { pid: hidden.pid, comm: 'hello-client', exe: client });
    const row = processes.find(({ pid }) => pid === hidden.pid);
    t.like(row, {
      sources: ['kernel'],
      comm: 'hello-client',
      exe: client,
      cmdline: [client, String(port), file, '300'],
    });
    await assertVerifies(t, output);
  },
);

testUnless(reason, 'from a container, and with a library preloaded, it says what that means', async (t) => {
  const stage = await openStage(t);
  const output = `${stage.directory}/container.tlsnap.tar.gz`;
  const args = [TLSNAP, 'capture', '--cgroup', stage.cgroup, '--window', '2s', '--output', output];
  const within = ['--pid', '--fork', '--mount-proc', '--net', process.execPath, ...args];
  const env = { LD_PRELOAD: '/none/preloaded.so' };
  const { stderr, exitCode } = await execa('unshare', within, { reject: false, timeout: 60_000, env });
  t.is(exitCode, 0, stderr);
  t.regex(stderr, /^note {8}tlsnap runs in a pid namespace of its own: processes outside of it are not in \/proc/m);
  t.regex(stderr, /^note {8}tlsnap was started with LD_PRELOAD\.$/m);
  const { snapshot } = await readCaptured(output);
  const self = (await snapshot.host())?.self;
  t.deepEqual(self?.environment, ['LD_PRELOAD=/none/preloaded.so']);
  // Without the host's first process nobody can tell whose the other two are, on a kernel where they have no fixed number.
  t.like(self?.initialNamespaces, { pid: false });
  t.not(self?.initialNamespaces.mnt, true);
  t.not(self?.initialNamespaces.net, true);
});
