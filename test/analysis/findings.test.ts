import test, { type ExecutionContext } from 'ava';
import { findings } from '../../src/analysis/findings.js';
import { openSnapshot } from '../../src/snapshot/reader.js';
import type { Handshake } from '../../src/snapshot/schema/handshake.js';
import { temporaryFolder } from '../snapshot/sample.js';
import { madeHello, makeSnapshot, realHello, type MadeRows } from './made-snapshot.js';

// Hellos are those of real clients, from fixtures/hellos; processes are made by hand.

test("Chromium's hello from curl is a finding, from Chromium it is none", async (t) => {
  const message = realHello('chromium').message;
  const by = (exe: string) => found(t, { handshakes: [madeHello({ message, process: { exe } })] });
  const [finding, ...others] = await by('/usr/bin/curl');
  t.deepEqual(others, []);
  t.like(finding, {
    kind: 'browser-fingerprint',
    confidence: 'medium',
    exe: '/usr/bin/curl',
    pid: 4242,
    handshakes: 1,
  });
  t.deepEqual(finding?.seqs, [0]);
  t.regex(finding?.why.join('; ') ?? '', /Chromium browsers \(FoxIO/);
  for (const exe of ['/usr/lib/chromium/chromium', '/opt/google/chrome/chrome', '/snap/slack/1/usr/lib/slack/slack']) {
    t.deepEqual(await by(exe), [], exe);
  }
});

test('a file named chrome in /tmp is no browser', async (t) => {
  const handshakes = [madeHello({ message: realHello('chromium').message, process: { exe: '/tmp/chrome' } })];
  const [finding] = await found(t, { handshakes });
  t.like(finding, { kind: 'browser-fingerprint', confidence: 'high' });
});

test('what a server receives says nothing of the server', async (t) => {
  const message = realHello('chromium').message;
  const handshakes = [
    madeHello({ message, role: 'server', process: { exe: '/usr/sbin/nginx' } }),
    madeHello({ message: realHello('gnutls').message, role: 'server', process: { exe: '/usr/sbin/nginx' } }),
  ];
  t.deepEqual(await found(t, { handshakes }), []);
});

test('one executable with two TLS libraries is a finding, and so is none that has one with several settings', async (t) => {
  const sent = (names: readonly string[], exe: string) =>
    names.map((name, at) => madeHello({ at: BigInt(at), message: realHello(name).message, process: { exe } }));
  const openssl = ['openssl-default', 'openssl-tls1.2', 'openssl-one-suite', 'curl', 'node', 'python', 'openssl-smtp'];
  t.deepEqual(await found(t, { handshakes: sent(openssl, '/usr/bin/agent') }), []);
  const [finding] = await found(t, { handshakes: sent([...openssl, 'gnutls'], '/usr/bin/agent') });
  t.like(finding, { kind: 'second-tls-stack', confidence: 'medium', handshakes: 8 });
  t.true(finding?.seqs.includes(7));
});

test('libraries that are loaded explain two stacks, one alone makes the other one stranger, an interpreter may bring any', async (t) => {
  const hellos = (exe: string) =>
    ['curl', 'gnutls'].map((name) => madeHello({ message: realHello(name).message, process: { exe } }));
  const confidence = async (exe: string, libraries: readonly string[]) => {
    const tlsLibraries = libraries.map((library) => ({ ...LIBRARY, library }));
    const [finding] = await found(t, { handshakes: hellos(exe), processes: [{ exe, tlsLibraries }] });
    return finding?.confidence;
  };
  t.is(await confidence('/usr/bin/agent', ['openssl']), 'high');
  t.is(await confidence('/usr/bin/agent', ['openssl', 'gnutls']), 'low');
  t.is(await confidence('/usr/bin/python3.11', ['openssl']), 'low');
});

test('the same path in two containers is two executables', async (t) => {
  const handshakes = ['curl', 'gnutls'].map((name) =>
    madeHello({ message: realHello(name).message, process: { exe: '/app/server', container: name } }),
  );
  t.deepEqual(await found(t, { handshakes }), []);
});

test('an executable that is in memory, deleted, or where everybody may write is a finding once it talks TLS', async (t) => {
  const cases = [
    [{ exe: '/memfd:x', exeMemfd: true, exeDeleted: true }, 'high'],
    [{ exe: '/dev/shm/x', exeMemfd: false, exeDeleted: true }, 'high'],
    [{ exe: '/var/tmp/x', exeMemfd: false, exeDeleted: false }, 'medium'],
    [{ exe: '/root/x', exeMemfd: false, exeDeleted: true }, 'medium'],
    [{ exe: '/usr/sbin/nginx', exeMemfd: false, exeDeleted: true }, 'low'],
    [{ exe: '/memfd:runc_cloned:/proc/self/exe', exeMemfd: true, exeDeleted: true }, 'low'],
  ] as const;
  for (const [process, confidence] of cases) {
    const processes = [
      { ...process, pid: 3, startTimeNs: '9' },
      { ...process, pid: 4242, startTimeNs: '123' },
    ];
    const [finding, ...others] = await found(t, { handshakes: [madeHello({})], processes });
    t.deepEqual(others, []);
    // Of two processes the one that talks TLS is named.
    t.like(finding, {
      kind: 'unusual-executable',
      confidence,
      pid: 4242,
      startTimeNs: '123',
      processes: 1,
      handshakes: 1,
    });
    t.deepEqual(await found(t, { handshakes: [], processes }), [], 'it says nothing');
  }
  t.deepEqual(await found(t, { handshakes: [madeHello({})], processes: [{ exe: '/tmpfiles/x' }] }), []);
});

test('who sent the hello counts, not only who connected', async (t) => {
  const sender = { pid: 9, tid: 9, startTimeNs: '7', uid: 0, gid: 0, comm: 'x' };
  const processes = [{ pid: 9, startTimeNs: '7', exe: '/tmp/x' }];
  const [finding] = await found(t, { handshakes: [madeHello({ process: { sender } })], processes });
  t.like(finding, { kind: 'unusual-executable', exe: '/tmp/x', pid: 9 });
});

test('a process that /proc does not list is a finding with its handshakes, of little weight under hidepid', async (t) => {
  const hidden = { pid: 4242, startTimeNs: '123', comm: 'kworker', hasDirectory: true, answersKill: true };
  const with_ = (explanation: 'hidepid' | null) =>
    found(t, {
      handshakes: [madeHello({}), madeHello({ process: { pid: 1 } })],
      host: { hiddenProcesses: [{ ...hidden, explanation }] },
    });
  const [finding] = await with_(null);
  t.like(finding, { kind: 'hidden-process', confidence: 'high', pid: 4242, comm: 'kworker', handshakes: 1 });
  t.deepEqual(finding?.seqs, [0]);
  t.is((await with_('hidepid'))[0]?.confidence, 'low');
});

test('ten thousand handshakes of a suspect are one finding with the first ten', async (t) => {
  const handshakes = Array.from({ length: 10_000 }, (_, at) => madeHello({ at: BigInt(at) }));
  const [finding, ...others] = await found(t, { handshakes, processes: [{ exe: '/tmp/x' }] });
  t.deepEqual(others, []);
  t.is(finding?.handshakes, 10_000);
  t.is(finding?.seqs.length, 10);
});

test('what was recorded of a hello is not believed', async (t) => {
  const harmless = madeHello({ message: realHello('curl').message });
  const row: Omit<Handshake, 'seq'> = {
    ...madeHello({ message: realHello('chromium').message }),
    fingerprints: harmless.fingerprints,
  };
  t.is((await found(t, { handshakes: [row] }))[0]?.kind, 'browser-fingerprint');
});

async function found(t: ExecutionContext, rows: MadeRows) {
  return findings(await openSnapshot(await makeSnapshot(await temporaryFolder(t), 'made', rows)));
}

const LIBRARY = { path: '/usr/lib/x.so', deleted: false, device: '8:1', inode: '5', buildId: null };
