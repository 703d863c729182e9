import { existsSync } from 'node:fs';
import { chmod, chown, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { execa } from 'execa';
import { reasonAgainstCommands, reasonAgainstLiveTests, testUnless } from '../left-out.js';
import { assertVerifies } from './judge.js';
import { armed, openStage, readCaptured, type Stage, TLSNAP, until } from './live.js';
import { assertAsSaid, startEnds, type Ends } from './network.js';

// The command as a responder meets it on hosts that lack something. Exit codes are those of sysexits.h, as the README has them.

const reason = reasonAgainstLiveTests() ?? reasonAgainstCommands('setpriv', 'unshare', 'script', 'python3');
const NOBODY = '65534';
const AS_NOBODY = ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups'];
const CAPABILITIES = '+bpf,+net_admin,+perfmon';
const WITH_CAPABILITIES = [...AS_NOBODY, `--inh-caps=${CAPABILITIES}`, `--ambient-caps=${CAPABILITIES}`];

testUnless(reason, 'without privileges it exits 77 and names the capabilities, with and without --json', async (t) => {
  const stage = await openStage(t);
  const output = await ownedByNobody(stage);
  for (const json of [[], ['--json']]) {
    const { exitCode, stdout, stderr } = await capture(stage, ['--output', output, ...json], AS_NOBODY);
    t.is(exitCode, 77);
    for (const name of ['CAP_BPF', 'CAP_NET_ADMIN', 'CAP_PERFMON']) t.true((stderr + stdout).includes(name));
    if (json.length > 0) t.is((JSON.parse(stdout) as { error: { code: number } }).error.code, 77);
  }
  t.deepEqual(await readdir(join(output, '..')), []);
});

testUnless(reason, 'CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON are enough', async (t) => {
  const stage = await openStage(t);
  const output = await ownedByNobody(stage);
  const ends = await startEnds(stage);
  const args = ['capture', '--cgroup', stage.cgroup, '--window', '60s', '--output', output, '--verbose'];
  const [command = '', ...rest] = [...WITH_CAPABILITIES, process.execPath, TLSNAP, ...args];
  const running = execa(command, rest, { reject: false, timeout: 70_000 });
  await armed(running);
  await ends.connect('capable.example');
  running.kill('SIGINT');
  const { exitCode, stderr } = await running;
  t.is(exitCode, 0, stderr);
  const { handshakes } = await readCaptured(output);
  assertAsSaid(t, handshakes, ends);
});

testUnless(
  reason,
  'an output that cannot be is told before the window, with 74, and nothing is overwritten',
  async (t) => {
    const stage = await openStage(t);
    const existing = join(stage.directory, 'existing.tlsnap.tar.gz');
    await writeFile(existing, 'evidence');
    for (const [output, word] of [
      [existing, 'exists already'],
      [join(stage.directory, 'none', 'x.tlsnap.tar.gz'), 'no such file or directory'],
      ['/proc/x.tlsnap.tar.gz', 'such file or directory|permission denied|not permitted'],
    ] as const) {
      const { exitCode, stderr } = await capture(stage, ['--output', output]);
      t.is(exitCode, 74, stderr);
      t.regex(unwrapped(stderr), new RegExp(word));
      t.false(stderr.includes('armed'));
    }
    t.is(await readFile(existing, 'utf8'), 'evidence');
    t.deepEqual(await readdir(stage.directory), ['existing.tlsnap.tar.gz']);
  },
);

testUnless(reason, 'a disk that is full from the start is told before the window, with 74', async (t) => {
  const stage = await openStage(t);
  const disk = await smallDisk(t, stage, '64k');
  await execa('sh', ['-c', 'cat /dev/zero > "$0" 2>/dev/null || true', join(disk, 'full')]);
  const { exitCode, stderr } = await capture(stage, ['--output', join(disk, 'x.tlsnap.tar.gz')]);
  t.is(exitCode, 74, stderr);
  t.regex(unwrapped(stderr), /no space left/);
  t.false(stderr.includes('armed'));
  t.deepEqual(await readdir(disk), ['full']);
});

testUnless(
  reason,
  'a disk that fills up during the window ends it with 74, and what was captured stays in the spool',
  async (t) => {
    const stage = await openStage(t);
    const disk = await smallDisk(t, stage, '4m');
    const output = join(disk, 'x.tlsnap.tar.gz');
    const ends = await startEnds(stage);
    const running = start(stage, ['--output', output]);
    await armed(running);
    await ends.connect('full.example');
    await execa('sh', ['-c', 'sleep 0.5; cat /dev/zero > "$0" 2>/dev/null || true', join(disk, 'full')]);
    const { exitCode, stderr } = await running;
    t.is(exitCode, 74, stderr);
    t.regex(unwrapped(stderr), /no space left/);
    t.regex(unwrapped(stderr), /tlsnap recover \S+\.spool/);
    t.false(existsSync(output));
    const spool = await readdir(`${output}.spool`);
    const segment = await readFile(join(`${output}.spool`, spool.find((name) => name.startsWith('segment-')) ?? ''));
    for (const hello of ends.clientSaid()[0]?.sent ?? [])
      t.true(segment.includes(Buffer.from(hello, 'hex')), 'the hello is in the spool');
    await assertRecoverable(t, stage, output, ends);
  },
);

testUnless(
  reason,
  'a disk too small for the snapshot ends it with 74, and what was captured stays in the spool',
  async (t) => {
    const stage = await openStage(t);
    const disk = await smallDisk(t, stage, '4m');
    const output = join(disk, 'x.tlsnap.tar.gz');
    const ends = await startEnds(stage);
    const running = start(stage, ['--output', output]);
    await armed(running);
    await ends.connect('small.example');
    // All but some 40 kB: room for what the window still has to say, none for the members and the snapshot.
    await until('the spool has settled', 5000, () => existsSync(`${output}.spool`));
    await execa('sh', [
      '-c',
      'sleep 0.5; free=$(df --output=avail -k "$0" | tail -1); head -c $(((free - 40) * 1024)) /dev/zero > "$0/full"',
      disk,
    ]);
    running.kill('SIGINT');
    const { exitCode, stderr } = await running;
    t.is(exitCode, 74, stderr);
    t.regex(unwrapped(stderr), /tlsnap recover \S+\.spool/);
    t.false(existsSync(output));
    t.true(existsSync(`${output}.spool/segment-00000000`));
    t.deepEqual(
      (await readdir(disk)).filter((name) => name.includes('partial')),
      [],
    );
    await assertRecoverable(t, stage, output, ends);
  },
);

testUnless(reason, 'without the types of the kernel (BTF) it exits 69 and says so', async (t) => {
  const stage = await openStage(t);
  const hide = ['unshare', '--mount', 'sh', '-c', 'mount -t tmpfs none /sys/kernel/btf && exec "$@"', 'sh'];
  const { exitCode, stderr } = await capture(stage, ['--output', join(stage.directory, 'x')], hide);
  t.is(exitCode, 69, stderr);
  t.regex(unwrapped(stderr), /BTF/);
  t.deepEqual(await readdir(stage.directory), []);
});

testUnless(reason, 'where no cgroup2 is mounted it mounts one unseen and watches the whole host', async (t) => {
  const stage = await openStage(t);
  const output = join(stage.directory, 'x.tlsnap.tar.gz');
  const args = [TLSNAP, 'capture', '--window', '60s', '--output', output, '--verbose'];
  const ends = await startEnds(stage);
  const running = execa('unshare', [...WITHOUT_CGROUP2, process.execPath, ...args], { reject: false, timeout: 70_000 });
  await armed(running);
  await ends.connect('unmounted.example');
  running.kill('SIGINT');
  const { exitCode, stderr } = await running;
  t.true(exitCode === 0 || exitCode === 1, stderr);
  const { handshakes } = await readCaptured(output);
  // Others may use the network meanwhile.
  assertAsSaid(
    t,
    handshakes.filter(({ flow }) => [flow.srcPort, flow.dstPort].includes(ends.port)),
    ends,
  );
});

testUnless(reason, 'where none is mounted and none may be, it exits 77 and says what to do', async (t) => {
  const stage = await openStage(t);
  const output = await ownedByNobody(stage);
  const args = [
    ...WITHOUT_CGROUP2,
    ...WITH_CAPABILITIES,
    process.execPath,
    TLSNAP,
    'capture',
    '--window',
    '2s',
    '--output',
    output,
  ];
  const { exitCode, stderr } = await execa('unshare', args, { reject: false, timeout: 60_000 });
  t.is(exitCode, 77, stderr);
  t.regex(unwrapped(stderr), /cgroup2/);
});

testUnless(reason, 'flags that cannot be exit 2', async (t) => {
  const stage = await openStage(t);
  for (const flags of [
    ['--window', '0s'],
    ['--window', 'soon'],
    ['--ring-size', '5 apples'],
    ['--ring-size', '0'],
    ['--ring-size', '96KiB'],
    ['--ring-size', '4GiB'],
    ['--rehandshake', '4194304', '--yes'],
    ['--cgroup', '/tmp'],
    ['--cgroup', 'there/is/none'],
    ['--quiet', '--verbose'],
    ['--nonsense'],
  ]) {
    const args = [TLSNAP, 'capture', '--window', '1s', '--output', join(stage.directory, 'x'), ...flags];
    const { exitCode, stderr } = await execa(process.execPath, args, { reject: false, timeout: 30_000 });
    t.is(exitCode, 2, `${flags.join(' ')}: ${stderr}`);
  }
  t.deepEqual(await readdir(stage.directory), []);
});

testUnless(reason, 'what keeps the programs from being loaded is told as what it is', async (t) => {
  const stage = await openStage(t);
  const elf = ['--btf', process.execPath];
  for (const [within, flags, code, said] of [
    [[], ['--btf', '/nowhere'], 74, /\/nowhere: no such file or directory/],
    [[], ['--btf', '/etc/passwd'], 65, /\/etc\/passwd: is no BTF file/],
    [[], elf, 65, /node: with these types this kernel does not take/],
    [['prlimit', '--nofile=64'], [], 69, /more files are needed than this process may open \(EMFILE\).*ulimit -n/],
    [['prlimit', '--nofile=28'], [], 69, /more files are needed than it may open.*ulimit -n/],
  ] as const) {
    const { exitCode, stdout, stderr } = await capture(
      stage,
      ['--output', join(stage.directory, 'x'), ...flags],
      within,
    );
    t.is(exitCode, code, `${stdout}${stderr}`);
    t.regex(unwrapped(stderr), said);
    t.false(/\\x0a|^\s+at /m.test(stderr), stderr);
  }
  t.deepEqual(await readdir(stage.directory), []);
});

testUnless(reason, '--quiet says nothing; in a pipe there is no progress line; --json is one object', async (t) => {
  const stage = await openStage(t);
  const quiet = await capture(stage, ['--output', join(stage.directory, 'quiet'), '--quiet'], [], '1s');
  t.deepEqual([quiet.exitCode, quiet.stdout, quiet.stderr], [0, '', '']);
  const piped = await capture(stage, ['--output', join(stage.directory, 'piped')], [], '1s');
  t.is(piped.exitCode, 0);
  t.is(piped.stdout, '');
  t.false(/[\r\u001b]| left /.test(piped.stderr), piped.stderr);
  t.regex(piped.stderr, /^manifest {4}SHA-256 [0-9a-f]{64}$/m);
  const json = await capture(stage, ['--output', join(stage.directory, 'json'), '--json'], [], '1s');
  const result = JSON.parse(json.stdout) as { snapshot: string; manifestSha256: string; handshakes: number };
  t.like(result, { snapshot: join(stage.directory, 'json'), handshakes: 0 });
  t.regex(result.manifestSha256, /^[0-9a-f]{64}$/);
  await assertVerifies(t, result.snapshot);
});

testUnless(
  reason,
  'on a terminal a line tells time left, hellos, processes and losses, and is taken back at the end',
  async (t) => {
    const stage = await openStage(t);
    const args = ['capture', '--cgroup', stage.cgroup, '--window', '2s', '--output', join(stage.directory, 'x')];
    const shell = ['stty cols 100;', process.execPath, TLSNAP, ...args].join(' ');
    const { stdout } = await execa('script', ['--quiet', '--return', '--command', shell, '/dev/null'], {
      timeout: 60_000,
      input: '',
    });
    t.regex(stdout, /\r\u001b\[K[12] s left · 0 hellos · \d+ processes · 0 lost/);
    t.regex(stdout, /\r\u001b\[Kwindow {6}2/);
    t.regex(stdout, /manifest {4}SHA-256 [0-9a-f]{64}/);
  },
);

/** The disk is as full as before: the snapshot is made on another one. */
async function assertRecoverable(t: ExecutionContext, stage: Stage, output: string, ends: Ends): Promise<void> {
  const recovered = join(stage.directory, 'recovered.tlsnap.tar.gz');
  const args = [TLSNAP, 'recover', `${output}.spool`, '--output', recovered];
  const { exitCode, stderr } = await execa(process.execPath, args, { reject: false, timeout: 30_000 });
  t.true(exitCode === 0 || exitCode === 1, stderr);
  await assertVerifies(t, recovered);
  const { handshakes, snapshot } = await readCaptured(recovered);
  assertAsSaid(t, handshakes, ends);
  t.is(snapshot.manifest.source, snapshot.manifest.recovered ? 'recovered' : 'live');
  t.deepEqual(
    (await readdir(stage.directory)).filter((name) => name.includes('members')),
    [],
  );
}

interface Said {
  readonly exitCode: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a capture to its end. */
async function capture(
  stage: Stage,
  flags: readonly string[],
  within: readonly string[] = [],
  window = '3s',
): Promise<Said> {
  const { exitCode, stdout, stderr } = await start(stage, flags, within, window);
  return { exitCode, stdout, stderr };
}

function start(stage: Stage, flags: readonly string[], within: readonly string[] = [], window = '60s') {
  const verbose = flags.includes('--quiet') ? [] : ['--verbose'];
  const args = ['capture', '--cgroup', stage.cgroup, '--window', window, ...verbose, ...flags];
  const [command = '', ...rest] = [...within, process.execPath, TLSNAP, ...args];
  return execa(command, rest, { reject: false, timeout: 80_000 });
}

/** A file in a folder that nobody may write to but nobody. */
async function ownedByNobody(stage: Stage): Promise<string> {
  const folder = join(stage.directory, 'nobody');
  await execa('mkdir', [folder]);
  await chown(folder, Number(NOBODY), Number(NOBODY));
  await chmod(stage.directory, 0o755);
  return join(folder, 'x.tlsnap.tar.gz');
}

/** A file system of a few bytes, gone when the test is over. */
async function smallDisk(t: ExecutionContext, stage: Stage, size: string): Promise<string> {
  const disk = join(stage.directory, 'disk');
  await execa('mkdir', [disk]);
  await execa('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'none', disk]);
  t.teardown(() => execa('umount', ['--lazy', disk]));
  return disk;
}

/** oclif breaks its messages into lines and draws a margin. */
function unwrapped(text: string): string {
  return text.replaceAll(/\s*\n\s*›?\s*/g, ' ');
}

const WITHOUT_CGROUP2 = [
  ...['--mount', 'sh', '-c'],
  `awk '$0 ~ / - cgroup2 / {print $5}' /proc/self/mountinfo | tac | xargs -n1 umount -l && exec "$@"`,
  'sh',
];
