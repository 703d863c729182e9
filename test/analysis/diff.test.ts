import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { parse } from 'csv-parse/sync';
import { diffCsv, diffReport, diffTable } from '../../src/analysis/diff-output.js';
import { diffSnapshots, type Diff } from '../../src/analysis/diff.js';
import { Budget, DistinctValues, NO_EVIDENCE } from '../../src/analysis/distinct-values.js';
import { loadFeeds } from '../../src/intel/load.js';
import type { Socket } from '../../src/snapshot/schema/socket.js';
import { SOCKET, temporaryFolder } from '../snapshot/sample.js';
import { IMPORTED, madeHello, makeSnapshot, realHello, type MadeRows } from './made-snapshot.js';

// Hellos are those of real clients, from fixtures/hellos; the rest is made by hand.

test('shuffled extensions, resumption, other pids, ports, times and start times are no difference', async (t) => {
  const snapshot = (index: number): MadeRows => ({
    handshakes: [
      madeHello({
        message: realHello('chromium', index).message,
        flow: { srcPort: 40_000 + index, dstPort: 443 + index, cookie: String(index) },
        process: { pid: 100 + index, tid: 100 + index, startTimeNs: String(index), exe: '/usr/bin/chromium' },
      }),
      madeHello({
        at: 5n + BigInt(index),
        message: realHello('node-resumption', index).message,
        process: { exe: '/usr/bin/node' },
      }),
    ],
    processes: [{ pid: 100 + index, startTimeNs: String(index), exe: '/usr/bin/chromium', cmdline: ['chromium'] }],
    sockets: [{ ...SOCKET, local: { address: '::', port: 40_000 + index }, owners: [owner('/usr/bin/node', index)] }],
  });
  const diff = await compared(t, snapshot(0), snapshot(1));
  t.deepEqual(diff.differences, []);
  t.deepEqual(diff.findings, []);
  t.regex(diffReport(diff)[0] ?? '', /^no difference$/);
  t.is(diffTable(diff, false), '');
});

test('another client is another fingerprint of its executable, and another executable of its fingerprint', async (t) => {
  const [curl, gnutls] = [realHello('curl').message, realHello('gnutls').message];
  const sent = (message: Uint8Array, exe: string) => madeHello({ message, process: { exe } });
  const diff = await compared(
    t,
    { handshakes: [sent(curl, '/usr/bin/a'), sent(gnutls, '/usr/bin/b')] },
    { handshakes: [sent(curl, '/usr/bin/a'), sent(curl, '/usr/bin/b')] },
  );
  const of = (category: string) => diff.differences.filter((one) => one.category === category);
  const [changed, gone] = of('fingerprint');
  t.like(changed, { change: 'changed', before: ['/usr/bin/a'], after: ['/usr/bin/a', '/usr/bin/b'] });
  t.like(gone, { change: 'gone', evidence: { seq: 1, exe: '/usr/bin/b' } });
  const [executable] = of('fingerprints-of-executable');
  t.like(executable, { change: 'changed', value: '/usr/bin/b', before: [gone?.value], after: [changed?.value] });
});

test('the same path with another hash has changed, and one whose hash is not known has not', async (t) => {
  const hash = (digit: string | null) => ({ processes: [{ exe: '/usr/bin/x', exeSha256: digit?.repeat(64) ?? null }] });
  const diff = await compared(t, hash('a'), hash('b'));
  t.deepEqual(values(diff), ['changed executable /usr/bin/x']);
  t.like(diff.differences[0], { before: ['a'.repeat(64)], after: ['b'.repeat(64)] });
  t.deepEqual(values(await compared(t, hash('a'), hash(null))), []);
});

test('destinations and server names are those that were asked for, whatever their case', async (t) => {
  const hello = (dst: string, role: 'client' | 'server' = 'client') => madeHello({ flow: { dst }, role });
  const diff = await compared(
    t,
    { handshakes: [hello('192.0.2.1'), hello('192.0.2.9', 'server')] },
    { handshakes: [hello('192.0.2.1'), hello('198.51.100.7')] },
  );
  const places = diff.differences.filter(({ category }) => category === 'destination');
  t.deepEqual(
    places.map(({ change, value }) => [change, value]),
    [['new', '198.51.100.7']],
  );
  t.false(values(diff).some((value) => value.includes('server-name')));
});

test('processes are compared by executable and arguments, and by what they call themselves where it is another name', async (t) => {
  const ran = (...cmdlines: (string[] | null)[]) => ({
    processes: cmdlines.map((cmdline, pid) => ({ pid, exe: '/usr/bin/curl', cmdline })),
  });
  const all = ran(['curl', '-s', 'https://a b'], ['[kworker/0:1]']);
  t.deepEqual(values(await compared(t, all, all)), []);
  t.deepEqual(values(await compared(t, ran(['curl']), all)), [
    'new process /usr/bin/curl -s "https://a b"',
    'new process /usr/bin/curl (as [kworker/0:1])',
    'gone process /usr/bin/curl',
  ]);
  // Arguments that could not be read in time are no news of a known executable.
  t.deepEqual(values(await compared(t, ran(['curl']), ran(null))), []);
  t.deepEqual(values(await compared(t, ran(null), ran(['curl', '-x']))), ['new process /usr/bin/curl -x']);
});

test('listening sockets are known by place, those with a port that the system chose by their program', async (t) => {
  const listens = (...sockets: Partial<Socket>[]) => ({ sockets: sockets.map((socket) => ({ ...SOCKET, ...socket })) });
  const at = (port: number, exe: string): Partial<Socket> => ({
    local: { address: '0.0.0.0', port },
    owners: [owner(exe)],
  });
  const diff = await compared(
    t,
    listens(at(22, '/usr/sbin/sshd'), at(40_000, '/usr/bin/a'), {
      state: 'ESTABLISHED',
      local: { address: '1', port: 5 },
    }),
    listens(at(22, '/tmp/sshd'), at(50_000, '/usr/bin/a'), at(50_001, '/tmp/b'), at(8443, '/usr/bin/a')),
  );
  t.deepEqual(values(diff), [
    'changed listening tcp 0.0.0.0:22',
    'new listening tcp 0.0.0.0:dynamic by /tmp/b',
    'new listening tcp 0.0.0.0:8443',
  ]);
  t.like(diff.differences[0], { before: ['/usr/sbin/sshd'], after: ['/tmp/sshd'] });
});

test('modules and BPF programs: new ones, other sizes and taints, hidden ones; our own programs are none', async (t) => {
  const module = (name: string, size = '1') => ({ name, size, state: 'Live', taint: null });
  const program = (id: number, tag: string, ours = false) => ({ ...PROGRAM, id, tag: tag.repeat(16), ours });
  const before: MadeRows = {
    host: {
      modules: { loaded: [module('ext4'), module('nf_tables')], onlyInProc: [], onlyInSys: [] },
      bpf: { before: null, after: { programs: [program(1, 'a')], links: [] } },
    },
  };
  const after: MadeRows = {
    host: {
      modules: {
        loaded: [module('ext4'), { ...module('nf_tables', '2'), taint: 'OE' }],
        onlyInProc: [],
        onlyInSys: ['diamorphine'],
      },
      bpf: {
        before: { programs: [program(7, 'a')], links: [] },
        after: { programs: [program(7, 'a'), program(8, 'b'), program(9, 'c', true)], links: [] },
      },
    },
  };
  const diff = await compared(t, before, after);
  t.deepEqual(values(diff), [
    'changed module nf_tables',
    'new module diamorphine (not in /proc/modules)',
    'new bpf-program kprobe x bbbbbbbbbbbbbbbb',
  ]);
  t.deepEqual(diff.differences[0]?.after, ['2 bytes, taint OE']);
});

test('what one snapshot does not tell is not gone: it is not compared, and that is said', async (t) => {
  const live: MadeRows = { handshakes: [madeHello({})], processes: [{}], sockets: [SOCKET] };
  const imported = { ...madeHello({}), process: null, role: null };
  const diff = await compared(t, live, { handshakes: [imported], facts: IMPORTED });
  t.deepEqual(values(diff), []);
  const gaps = diff.notCompared.map(({ category }) => category);
  for (const category of ['process', 'executable', 'listening', 'module', 'bpf-program']) {
    t.true(gaps.includes(category as (typeof gaps)[number]), category);
  }
});

test('findings are new, the same or gone, whatever the pid', async (t) => {
  const suspect = (pid: number, exe: string): MadeRows => ({
    handshakes: [madeHello({ process: { pid, exe } })],
    processes: [{ pid, exe }],
  });
  const status = async (before: MadeRows, after: MadeRows) =>
    (await compared(t, before, after)).findings.map(({ kind, exe, status }) => `${status} ${kind} ${exe}`);
  t.deepEqual(await status(suspect(1, '/tmp/x'), suspect(2, '/tmp/x')), ['same unusual-executable /tmp/x']);
  t.deepEqual(await status(suspect(1, '/tmp/x'), suspect(1, '/tmp/y')), [
    'new unusual-executable /tmp/y',
    'gone unusual-executable /tmp/x',
  ]);
});

// docs/analysis.md: exit code 1 for a finding that is new or gone.
test('a finding that is gone and nothing else is a difference in the report, and a line of the table', async (t) => {
  // Both ran the same executable with the same arguments; in BEFORE its file was deleted, which is a finding only.
  const ran = (exeDeleted: boolean): MadeRows => ({
    handshakes: [madeHello({ process: { exe: '/usr/bin/curl' } })],
    processes: [{ exe: '/usr/bin/curl', exeDeleted }],
  });
  const diff = await compared(t, ran(true), ran(false));
  t.deepEqual(values(diff), []);
  t.is(diffReport(diff)[0], '0 new, 0 gone, 0 changed; 0 new findings, 1 gone');
  t.regex(diffTable(diff, false), /^- +low +unusual-executable +/m);
  const same = await compared(t, ran(true), ran(true));
  t.is(diffReport(same)[0], 'no difference');
  t.regex(diffTable(same, false), /^ +low +unusual-executable +/m);
});

test('a feed tells what of AFTER it names, and what of that is new', async (t) => {
  const folder = await temporaryFolder(t);
  const feed = join(folder, 'feed');
  await writeFile(feed, `${realHello('curl').ja3}\n`);
  const curl = { handshakes: [madeHello({ message: realHello('curl').message })] };
  const gnutls = { handshakes: [madeHello({ message: realHello('gnutls').message })] };
  const hits = async (before: MadeRows, after: MadeRows) => {
    const { hits, differences } = await compared(t, before, after, [feed]);
    return [hits.total, differences.filter(({ category }) => category === 'match').map(({ change }) => change)];
  };
  t.deepEqual(await hits(gnutls, curl), [1, ['new']]);
  t.deepEqual(await hits(curl, curl), [1, []]);
  t.deepEqual(await hits(curl, gnutls), [0, ['gone']]);
});

test('names that an attacker chose neither run on the terminal nor in a spreadsheet', async (t) => {
  const exe = "=cmd|'/C calc'!A0\u001b]0;x\u0007\u202e";
  const diff = await compared(t, {}, { processes: [{ exe, cmdline: ['=1+1\r', '@x'] }] });
  t.notRegex(diffTable(diff, false), /[^\P{C}\n]/u);
  const rows = parse<Record<string, string>>(diffCsv(diff), { columns: true, record_delimiter: '\n' });
  t.deepEqual(rows.map(({ category }) => category).sort(), ['executable', 'process']);
  for (const row of rows) for (const cell of Object.values(row)) t.notRegex(cell, /^[=+\-@\t\r\0]/);
});

test('different hosts, the wrong order, and bytes that say otherwise make the comparison doubtful', async (t) => {
  const host = (machineId: string) => ({
    hostname: 'a',
    machineId,
    bootId: null,
    os: null,
    kernel: null,
    architecture: null,
  });
  const later = {
    asked: null,
    start: '2027-01-01T00:00:00.000000000Z',
    end: '2027-01-01T00:01:00.000000000Z',
    endedBy: 'elapsed' as const,
  };
  const forged = { ...madeHello({}), fingerprints: null };
  const diff = await compared(
    t,
    { facts: { host: host('a'), window: later } },
    { facts: { host: host('b') }, handshakes: [forged] },
  );
  t.regex(diff.doubts.join('\n'), /different hosts[^]*BEFORE is the later[^]*in 1 handshakes what was recorded is not/);
});

test('nothing but new values ends at the budget, and is counted', (t) => {
  const distinct = new DistinctValues(new Budget(100_000));
  for (let at = 0; at < 10_000; at++) distinct.see(`${at} ${'x'.repeat(5000)}`, () => NO_EVIDENCE, String(at));
  t.true(distinct.seen.size > 10 && distinct.seen.size < 200);
  t.true(distinct.leftOut >= 10_000 - distinct.seen.size);
  for (const value of distinct.seen.keys()) t.true(value.length < 700);
  // Two long values that start alike stay two.
  t.is(new Set(distinct.seen.keys()).size, distinct.seen.size);
});

async function compared(t: ExecutionContext, before: MadeRows, after: MadeRows, feeds: string[] = []): Promise<Diff> {
  const folder = await temporaryFolder(t);
  const paths = [await makeSnapshot(folder, 'before', before), await makeSnapshot(folder, 'after', after)] as const;
  return diffSnapshots(...paths, await loadFeeds(feeds, {}));
}

function values({ differences }: Diff): string[] {
  return differences.map(({ change, category, value }) => `${change} ${category} ${value}`);
}

function owner(exe: string, pid = 1): Socket['owners'][number] {
  return { pid, startTimeNs: null, comm: 'x', exe };
}

const PROGRAM = { type: 'kprobe', name: 'x', loadTimeNs: null, uid: 0, owners: [] };
