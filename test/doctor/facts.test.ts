import { execFileSync } from 'node:child_process';
import { mkdirSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import test from 'ava';
import { readBpfFacts, readOutputFacts } from '../../src/doctor/facts.js';
import { HOST_ROOTS } from '../../src/host/host-facts.js';
import { readPrivileges } from '../../src/native/privileges.js';
import { Procfs } from '../../src/procfs/procfs.js';
import { reasonAgainstCommands, testUnless } from '../left-out.js';
import { reasonAgainstProc } from '../procfs/live-process.js';
import { temporaryFolder } from '../snapshot/sample.js';

testUnless(
  reasonAgainstProc ?? reasonAgainstCommands('prlimit', 'sysctl', 'capsh'),
  "a living host's facts are what prlimit, sysctl and capsh print",
  (t) => {
    const print = (command: string, ...args: string[]) => execFileSync(command, args, { encoding: 'utf8' }).trim();
    const facts = readBpfFacts(HOST_ROOTS);
    const limit = print('prlimit', '--pid', String(process.pid), '--memlock', '--raw', '--noheadings', '--output=SOFT');
    t.is(facts.memlock, limit === 'unlimited' ? Infinity : Number(limit));
    t.is(String(facts.unprivilegedDisabled), print('sysctl', '-n', 'kernel.unprivileged_bpf_disabled'));
    const effective = /^Current: =?(.*)$/m.exec(print('capsh', '--print'))?.[1] ?? '';
    const all = effective === 'ep' || effective.startsWith('ep ');
    if (all) t.deepEqual(readPrivileges().missing, []);
    else t.deepEqual(readPrivileges().missing.length === 0, /cap_(?:sys_admin|bpf)/.test(effective));
  },
);

test('a host that has nothing of it is read as knowing nothing', async (t) => {
  const root = await temporaryFolder(t);
  const facts = readBpfFacts({ proc: root, sys: root, etc: root });
  t.deepEqual(facts, { btfBytes: null, unprivilegedDisabled: null, jit: null, memlock: null });
});

test("files in the kernel's form are read, others count as unknown", async (t) => {
  const root = await temporaryFolder(t);
  const put = (path: string, text: string): void => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  };
  put('self/limits', 'Limit  Soft Limit  Hard Limit  Units\nMax locked memory         65536   unlimited    bytes\n');
  put('sys/kernel/unprivileged_bpf_disabled', '2\n');
  put('sys/net/core/bpf_jit_enable', 'yes');
  put('kernel/btf/vmlinux', 'BTF');
  const facts = readBpfFacts({ proc: root, sys: root, etc: root });
  t.deepEqual(facts, { btfBytes: 3, unprivilegedDisabled: 2, jit: null, memlock: 65536 });
});

// capability.h: CAP_NET_ADMIN 12, CAP_SYS_PTRACE 19, CAP_SYS_ADMIN 21, CAP_PERFMON 38, CAP_BPF 39.
for (const [effective, missing, mayLoad] of [
  ['000001ffffffffff', [], true],
  ['000000c000001000', [], true],
  ['0000000000200000', [], true],
  ['0000008000001000', ['CAP_PERFMON'], false],
  // What Docker leaves to root.
  ['00000000a80425fb', ['CAP_BPF', 'CAP_NET_ADMIN', 'CAP_PERFMON'], false],
] as const) {
  test(`with capabilities ${effective} ${mayLoad ? 'programs may be loaded' : `${missing.join(', ')} is missing`}`, async (t) => {
    const proc = await temporaryFolder(t);
    mkdirSync(join(proc, 'self'));
    writeFileSync(join(proc, 'self/status'), `Name:\tx\nCapEff:\t${effective}\n`);
    writeFileSync(join(proc, 'self/uid_map'), '         0          0 4294967295\n');
    const privileges = readPrivileges(new Procfs(proc));
    t.deepEqual(privileges.missing, [...missing]);
    t.is(privileges.mayLoad, mayLoad);
    writeFileSync(join(proc, 'self/uid_map'), '         0       1000          1\n');
    t.false(readPrivileges(new Procfs(proc)).mayLoad);
  });
}

test('a folder is asked whether a file can be made in it, and nothing is', async (t) => {
  const folder = await temporaryFolder(t);
  const before = statSync(folder).mtimeMs;
  const facts = await readOutputFacts(folder);
  t.is(facts.fault, null);
  t.true(facts.freeBytes > 0);
  t.is(statSync(folder).mtimeMs, before);
  t.is((await readOutputFacts(join(folder, 'none'))).fault, 'ENOENT');
});
