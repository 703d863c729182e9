import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import type { ExecutionContext } from 'ava';
import { userlandFolder, USERLANDS } from '../../scripts/userlands/debian.js';
import type { Diagnosis } from '../../src/doctor/check.js';
import { assertVerifies } from '../kernel/judge.js';
import { armed, freePort, openStage, readCaptured } from '../kernel/live.js';
import { openNamespace } from '../kernel/network.js';
import { reasonAgainstBundleTests, reasonAgainstCommands, reasonAgainstLiveTests, testUnless } from '../left-out.js';
import { type BareHost, bareHost, COMMANDS, NODE, PROJECT, type Rights, TLSNAP } from './bare-host.js';

// The bundle where there is nothing at all, and on systems whose C library is older and newer than its own (ldd --version:
// 2.31 and 2.41); as root and with no more privileges than it needs. The handshakes are made by its own Node.

const CACHE = join(PROJECT, '.cache/userlands');
const reason = reasonAgainstLiveTests() ?? reasonAgainstCommands(...COMMANDS, 'nsenter') ?? reasonAgainstBundleTests();

for (const name of ['an empty chroot', ...USERLANDS] as const) {
  const root = name === 'an empty chroot' ? undefined : userlandFolder(name, CACHE);
  const missing = root === undefined || existsSync(root) ? undefined : 'may be missing, and could not be fetched';
  for (const rights of ['root', 'three capabilities'] as const) {
    testUnless(
      reason ?? missing,
      `in ${name}, with ${rights}, the bundle captures a handshake and verifies it`,
      async (t) => captures(t, await bareHost(t, root), rights),
    );
  }
}

/** The doctor, a capture of one handshake, and verify, all there. */
async function captures(t: ExecutionContext, host: BareHost, rights: Rights): Promise<void> {
  const stage = await openStage(t);
  const network = ['nsenter', `--net=/run/netns/${(await openNamespace(t)).name}`];
  const there = (program: string, ...args: readonly string[]) => {
    const [command = '', ...rest] = [...network, ...host.command(rights, program, ...args)];
    return [command, rest] as const;
  };

  const doctor = await execa(...there(TLSNAP, 'doctor', '--json'), { reject: false });
  const { checks } = JSON.parse(doctor.stdout) as Diagnosis;
  const found = (name: string) => checks.find((check) => check.name === name)?.found ?? '';
  t.regex(found('programs'), /^\d+ loaded/, doctor.stdout);
  // Who may not make a cgroup of its own does not try it.
  t.regex(found('handshake'), rights === 'root' ? /^seen, with its process and JA3$/ : /^not tried: no cgroup/);

  const port = await freePort();
  const hands = ['--input-type=module', '--eval', await readFile(join(import.meta.dirname, 'handshake.js'), 'utf8')];
  const server = await stage.serve(port, ...there(NODE, ...hands, 'server', String(port)));
  const output = ['--output', '/mnt/x.tlsnap.tar.gz'];
  const capture = execa(
    ...there(TLSNAP, 'capture', '--window', '60s', '--cgroup', stage.cgroup, ...output, '--verbose'),
    { reject: false, all: true, timeout: 90_000 },
  );
  await armed(capture);
  const client = stage.start(...there(NODE, ...hands, 'client', String(port)));
  t.is((await client.process).stdout, 'done');
  capture.kill('SIGINT');
  const { exitCode, all } = await capture;
  t.is(exitCode, 0, all);

  const path = join(host.output, 'x.tlsnap.tar.gz');
  const { handshakes } = await readCaptured(path);
  const sent = handshakes.filter(({ kind, role }) => kind === role);
  t.deepEqual(
    sent.map(({ kind, process, tls }) => [kind, process?.pid, tls?.serverName]),
    [
      ['client', client.pid, 'bare-host.example'],
      ['server', server.pid, null],
    ],
  );
  await assertVerifies(t, path);
  const verify = await execa(...there(TLSNAP, 'verify', '/mnt/x.tlsnap.tar.gz'), { reject: false, all: true });
  t.is(verify.exitCode, 0, verify.all);
}
