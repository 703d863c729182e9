import { readdirSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { machine, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { execa } from 'execa';
import type { Diagnosis } from '../../src/doctor/check.js';
import { reasonAgainstCommands, reasonAgainstLiveTests, testUnless } from '../left-out.js';
import { cgroup2Mount, TLSNAP, until } from './live.js';
import { compileActor } from './programs.js';

// The doctor on this kernel, and what strace saw it do. Exit codes are the README's.

const reason = reasonAgainstLiveTests() ?? reasonAgainstCommands('cc', 'setpriv', 'unshare', 'strace');
const AS_NOBODY = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'];
const CAPABILITIES = '+bpf,+net_admin,+perfmon';

testUnless(reason, 'as root it sees a handshake of its own, with its process and JA3', async (t) => {
  const { exitCode, diagnosis } = await doctor(t, []);
  t.is(exitCode, diagnosis.capture === 'whole' ? 0 : 1);
  t.not(diagnosis.capture, 'impossible');
  t.like(check(diagnosis, 'handshake'), { state: 'ok', found: 'seen, with its process and JA3' });
});

testUnless(reason, 'it names the tier that a capture gets', async (t) => {
  const { diagnosis } = await doctor(t, []);
  const directory = await temporaryDirectory(t);
  const output = join(directory, 'x.tlsnap.tar.gz');
  await execa(process.execPath, [TLSNAP, 'capture', '--window', '100ms', '--netns', '1', '--output', output], {
    reject: false,
  });
  const { stdout } = await execa('tar', ['-xzOf', output, '--wildcards', '*/manifest.json']);
  const { tier } = JSON.parse(stdout) as { tier: string | null };
  t.is(tier ?? '', diagnosis.tier ?? 'none');
});

testUnless(reason, 'it writes to nothing but the cgroup that it makes, and connects to loopback alone', async (t) => {
  const log = join(await temporaryDirectory(t), 'strace');
  const strace = ['strace', '-f', '-o', log, '-e', 'trace=%file,%network'];
  const { exitCode } = await doctor(t, strace);
  t.true(exitCode === 0 || exitCode === 1);
  const calls = (await readFile(log, 'utf8')).split('\n').filter((call) => !/ = -1 E/.test(call));
  const writes = calls.filter((call) =>
    /O_WRONLY|O_RDWR|O_CREAT|\b(?:mkdir|rename|unlink|rmdir|link|symlink|mknod|truncate|mount)\w*\(/.test(call),
  );
  t.true(writes.some((call) => /mkdir.*tlsnap-doctor-\d+"/.test(call)));
  t.deepEqual(
    writes.filter((call) => !/tlsnap-doctor-\d+["/]|"\/dev\/null"|readlink/.test(call)),
    [],
  );
  const addresses = calls.flatMap((call) => /\b(?:connect|sendto|bind)\(.*sin6?_addr.*/.exec(call) ?? []);
  t.true(addresses.length > 0);
  t.deepEqual(
    addresses.filter((call) => !call.includes('inet_addr("127.0.0.1")')),
    [],
  );
});

testUnless(reason, 'interrupted, it leaves no cgroup either', async (t) => {
  const running = execa(process.execPath, [TLSNAP, 'doctor'], { reject: false });
  const own = `tlsnap-doctor-${String(running.pid)}`;
  await until('its cgroup is there', 10_000, () => doctorsCgroups().includes(own));
  running.kill('SIGINT');
  await running;
  t.false(doctorsCgroups().includes(own));
});

testUnless(reason, 'without capabilities it exits 77, as root and as nobody, and in a user namespace', async (t) => {
  for (const wrapper of [
    AS_NOBODY,
    ['setpriv', '--bounding-set=-all', '--inh-caps=-all'],
    ['unshare', '--user', '--map-root-user'],
  ]) {
    const { exitCode, diagnosis } = await doctor(t, wrapper);
    t.is(exitCode, 77, wrapper.join(' '));
    t.like(diagnosis, { capture: 'impossible', lacks: 'permission', tier: null });
    t.is(check(diagnosis, 'privileges')?.state, 'missing');
  }
});

testUnless(reason, 'with the three capabilities alone a capture works, and what it does not see is told', async (t) => {
  const { exitCode, diagnosis } = await doctor(t, [
    ...AS_NOBODY,
    `--inh-caps=${CAPABILITIES}`,
    `--ambient-caps=${CAPABILITIES}`,
  ]);
  t.is(exitCode, 1);
  t.is(diagnosis.capture, 'limited');
  t.is(check(diagnosis, 'programs')?.state, 'ok');
  t.true(diagnosis.notSeen.some((words) => words.includes("other users' processes")));
});

testUnless(reason, 'in a container of its own namespaces it says what is not to be seen from there', async (t) => {
  const container = ['unshare', '--fork', '--pid', '--mount-proc', '--net'];
  const { exitCode, diagnosis } = await doctor(t, container);
  t.is(exitCode, 1);
  t.true(diagnosis.notSeen.some((words) => words.includes('pid namespace')));
  t.regex(check(diagnosis, 'handshake')?.found ?? '', /loopback does not connect/);
});

testUnless(reason, 'in a cgroup namespace it says that only what runs below its root is watched', async (t) => {
  const { exitCode, diagnosis } = await doctor(t, ['unshare', '--cgroup']);
  t.is(exitCode, 1);
  t.true(diagnosis.notSeen.some((words) => /cgroup namespace.*only what runs at or below it/.test(words)));
});

testUnless(
  reason,
  'where a seccomp filter refuses bpf(2) it exits 77, and names the filter and the way out',
  async (t) => {
    const wrapper = await compileActor(await temporaryDirectory(t), 'without-bpf');
    const { exitCode, diagnosis } = await doctor(t, [wrapper]);
    t.is(exitCode, 77);
    t.is(check(diagnosis, 'privileges')?.found, 'all');
    const programs = check(diagnosis, 'programs');
    t.regex(programs?.found ?? '', /refused.*seccomp filter/);
    t.regex(programs?.advice ?? '', /seccomp=unconfined/);
    t.is(check(diagnosis, 'hooks')?.state, 'note');
  },
);

testUnless(reason, 'without /sys it exits 69 and says what to mount or name', async (t) => {
  const { exitCode, diagnosis } = await doctor(t, within('umount --lazy /sys'));
  t.is(exitCode, 69);
  t.like(check(diagnosis, 'types'), { state: 'missing', found: 'no /sys/kernel/btf/vmlinux' });
  t.regex(check(diagnosis, 'types')?.advice ?? '', /Mount sysfs at \/sys/);
  t.is(check(diagnosis, 'cgroup2')?.found, 'its root is not mounted here');
});

testUnless(
  reason,
  'without /proc/sys, and where no cgroup can be made, it tells what it could not find out',
  async (t) => {
    const { diagnosis } = await doctor(
      t,
      within(`mount -t tmpfs none /proc/sys && mount -o remount,bind,ro ${cgroup2Mount()}`),
    );
    t.is(check(diagnosis, 'programs')?.state, 'ok');
    t.like(check(diagnosis, 'kernel'), { state: 'note', found: `not known ${machine()}` });
    t.like(check(diagnosis, 'handshake'), {
      state: 'note',
      found: 'not tried: no cgroup of its own can be made (EROFS)',
    });
  },
);

/** A command line that starts what follows it where `change` was made to the mounts, of nobody else. */
function within(change: string): readonly string[] {
  return ['unshare', '--mount', 'sh', '-c', `${change} && exec "$@"`, 'sh'];
}

async function doctor(
  t: ExecutionContext,
  wrapper: readonly string[],
): Promise<{ exitCode: number | undefined; diagnosis: Diagnosis }> {
  const [command, ...args] = [...wrapper, process.execPath, TLSNAP, 'doctor', '--json'];
  const before = doctorsCgroups();
  const { exitCode, stdout } = await execa(command, args, { reject: false, cwd: tmpdir(), timeout: 60_000 });
  t.deepEqual(
    doctorsCgroups().filter((name) => !before.includes(name)),
    [],
  );
  return { exitCode, diagnosis: JSON.parse(stdout) as Diagnosis };
}

function doctorsCgroups(): string[] {
  return readdirSync(cgroup2Mount()).filter((name) => name.startsWith('tlsnap-doctor-'));
}

function check({ checks }: Diagnosis, name: string): Diagnosis['checks'][number] | undefined {
  return checks.find((each) => each.name === name);
}

async function temporaryDirectory(t: ExecutionContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'tlsnap-doctor-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  return directory;
}
