import { cp, mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { bundleFolder } from '../../scripts/bundle/folder.js';
import { assertVerifies } from '../kernel/judge.js';
import { armed, openStage, readCaptured } from '../kernel/live.js';
import { startEnds } from '../kernel/network.js';
import { reasonAgainstBundleTests, reasonAgainstCommands, reasonAgainstLiveTests, testUnless } from '../left-out.js';
import { markedLibrary, PROJECT, temporaryDirectory } from './bare-host.js';
import { pathsChanged, STRACE, wholeCalls } from './system-calls.js';

// What a whole capture does to the host: strace sees each call of its threads and of the processes that it starts.

const reason =
  reasonAgainstLiveTests() ??
  reasonAgainstCommands('cc', 'openssl', 'python3', 'strace', 'unshare') ??
  reasonAgainstBundleTests();

testUnless(
  reason,
  'a capture from a read-only mount changes only its output, loads only its own libraries, connects to nothing',
  async (t) => {
    const stage = await openStage(t);
    const ends = await startEnds(stage);
    const [output, mountPoint] = [await temporaryDirectory(t), join(await temporaryDirectory(t), 'usb stick')];
    await mkdir(mountPoint);
    await cp(await markedLibrary(t), join(output, 'preloaded.so'));
    const snapshot = join(output, 'x.tlsnap.tar.gz');
    const capture = ['capture', '--window', '4s', '--cgroup', stage.cgroup, '--output', snapshot, '--verbose'];
    const steered = ['-E', 'HOME', '-E', `LD_PRELOAD=${join(output, 'preloaded.so')}`];
    const traced = ['strace', ...STRACE, ...steered, '-o', join(output, 'strace'), `${mountPoint}/tlsnap`, ...capture];
    const mounted = ['sh', '-c', MOUNT_READ_ONLY, await bundleFolder(PROJECT), mountPoint, ...traced];
    const running = execa('unshare', ['--mount', ...mounted], { reject: false, all: true, timeout: 90_000 });
    await armed(running);
    await ends.connect('footprint.example');
    const { exitCode, all } = await running;
    t.is(exitCode, 0, all);
    const { handshakes } = await readCaptured(snapshot);
    t.true(handshakes.some(({ tls }) => tls?.serverName === 'footprint.example'));
    await assertVerifies(t, snapshot);

    const calls = wholeCalls(await readFile(join(output, 'strace'), 'utf8'));
    const started = calls.filter((call) => call.startsWith('execve(') && call.endsWith(' = 0'));
    // The launcher, the loader that it becomes, and the same for each process that reads /proc.
    t.true(started.length >= 4, started.join('\n'));
    t.deepEqual(
      started.filter((call) => !call.startsWith(`execve("${mountPoint}/`)),
      [],
    );
    const changed = pathsChanged(calls, process.cwd());
    t.true(changed.includes(snapshot));
    t.deepEqual(
      changed.filter((path) => !path.startsWith(`${output}/`)),
      [],
    );
    // By other ways than a file's name: nothing is pinned, mounted, or handed to the kernel to do out of strace's sight.
    // libuv's rings without IORING_SETUP_SQPOLL are for epoll_ctl(2) alone; the one for files is that with it.
    t.deepEqual(
      calls.filter((call) =>
        /^bpf\(BPF_OBJ_PIN|^(?:fsopen|move_mount)\(|^io_uring_setup\(.*IORING_SETUP_SQPOLL/.test(call),
      ),
      [],
    );
    t.deepEqual(
      calls.filter((call) => /^connect\(/.test(call) || (/^socket\(/.test(call) && !/AF_NETLINK/.test(call))),
      [],
    );
    const libraries = calls.filter((call) => /^open(?:at)?\(.*\.so(?:\.[\d.]+)?",.* = \d+</.test(call));
    t.true(libraries.length > 0);
    t.deepEqual(
      libraries.filter((call) => !call.includes(`"${mountPoint}/runtime/lib/`)),
      [],
    );
  },
);

/** Mounts the first word's folder read-only at the second, and runs the rest. */
const MOUNT_READ_ONLY = 'mount --bind "$0" "$1" && mount -o remount,bind,ro "$1" && shift && exec "$@"';
