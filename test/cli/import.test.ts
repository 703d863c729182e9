import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { setTimeout } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { execa, type Result } from 'execa';
import { packetsOf, pcapOf, pcapRecord } from '../pcap/captures.js';
import { QuicInitials } from '../../src/pcap/write/quic-initial.js';
import { Datagrams } from '../pcap/flow/datagrams.js';
import { Wire, helloRecord } from '../pcap/flow/segments.js';
import { description, enhanced, ETHERNET, section, simple } from '../pcap/pcapng-blocks.js';
import { fixture, readFixture } from '../pcap/tshark.js';

const RUN = resolve(import.meta.dirname, '../../bin/run.js');

test('a capture becomes a snapshot that verify accepts', async (t) => {
  const { snapshot, tlsnap } = await setting(t);
  const args = ['import', fixture('clients.pcapng'), '--output', snapshot, '--case', 'C-1', '--json'];
  const { exitCode, stdout } = await tlsnap(args);
  t.is(exitCode, 0);
  t.like(JSON.parse(stdout), { snapshot, hellos: { client: 7, server: 7, truncated: 0 }, lossesByKind: {} });
  t.is((await tlsnap(['verify', snapshot])).exitCode, 0);
  const capture = readFixture('clients.pcapng');
  t.like(await manifestOf(snapshot), {
    source: 'pcap',
    case: { case: 'C-1' },
    host: null,
    input: { size: capture.length, sha256: createHash('sha256').update(capture).digest('hex') },
    coverage: { events: 14, hellosWithoutProcess: 14 },
    window: { asked: null, endedBy: 'input-end' },
  });
});

test('standard input and standard output take the place of files', async (t) => {
  const { snapshot, tlsnap } = await setting(t);
  const { exitCode, stdout } = await tlsnap(['import', '-', '--output', '-'], {
    input: readFixture('quic.pcapng'),
    encoding: 'buffer',
  });
  t.is(exitCode, 0);
  await writeFile(snapshot, stdout);
  t.like(await manifestOf(snapshot), { coverage: { events: 6 }, input: { path: 'standard input' } });
});

test('a cut-off capture keeps what it has, says so in a warning and in the manifest, and exits 1', async (t) => {
  const { folder, snapshot, tlsnap } = await setting(t);
  const cut = join(folder, 'cut.pcapng');
  await writeFile(cut, readFixture('clients.pcapng').subarray(0, 15_000));
  const { exitCode, stdout } = await tlsnap(['import', cut, '--output', snapshot, '--json']);
  t.is(exitCode, 1);
  t.regex(warningsOf(stdout), /is cut off at byte \d+ \(the file ends inside the block after packet \d+\)/);
  const manifest = await manifestOf(snapshot);
  t.like(manifest, { coverage: { lossesByKind: { 'capture.unreadable-rest': 1 } }, window: { endedBy: 'error' } });
  t.true((manifest.coverage?.events ?? 0) >= 4);
});

test('what cannot be read at all exits 65 or 74 with the reason, and leaves nothing behind', async (t) => {
  const { folder, snapshot, tlsnap } = await setting(t);
  const text = join(folder, 'text');
  await writeFile(text, 'this is no capture\n');
  for (const [input, code, message] of [
    [text, 65, /is neither pcap nor pcapng/],
    [folder, 65, /is a directory/],
    [join(folder, 'absent'), 74, /no such file/],
  ] as const) {
    const { exitCode, stderr } = await tlsnap(['import', input, '--output', snapshot]);
    t.is(exitCode, code);
    t.regex(stderr, message);
  }
  t.deepEqual(await readdir(folder), ['text']);
});

test('an existing snapshot is never overwritten', async (t) => {
  const { snapshot, tlsnap } = await setting(t);
  await writeFile(snapshot, 'precious');
  t.is((await tlsnap(['import', fixture('clients.pcapng'), '--output', snapshot])).exitCode, 74);
  t.is(await readFile(snapshot, 'utf8'), 'precious');
});

test('an unknown link type is told and exits 1', async (t) => {
  const { folder, snapshot, tlsnap } = await setting(t);
  const capture = join(folder, 'usb.pcap');
  await writeFile(capture, pcapOf(220, [Buffer.alloc(64), Buffer.alloc(64)]));
  const { exitCode, stdout } = await tlsnap(['import', capture, '--output', snapshot, '--json']);
  t.is(exitCode, 1);
  t.regex(warningsOf(stdout), /2 packets of link type 220/);
});

test('of packets without a time that is told, and where others have one the window is theirs', async (t) => {
  const { folder, tlsnap } = await setting(t);
  const frames = packetsOf(readFixture('hello-retry.pcapng')).map(({ bytes }) => bytes);
  const [first = Buffer.alloc(0)] = frames;
  const untimed = [section(), description(ETHERNET), ...frames.map(simple)];
  // tshark leaves frame.time_epoch of simple packets empty; the time of the enhanced ones it prints as 1700000000.
  for (const [name, blocks, time] of [
    ['untimed', untimed, '1970-01-01T00:00:00.000000000Z'],
    ['mixed', [...untimed, enhanced(first)], '2023-11-14T22:13:20.000000000Z'],
    [
      'mixed the other way',
      [section(), description(ETHERNET), enhanced(first), ...frames.map(simple)],
      '2023-11-14T22:13:20.000000000Z',
    ],
  ] as const) {
    const [capture, snapshot] = [join(folder, name), join(folder, `${name}.tlsnap.tar.gz`)];
    await writeFile(capture, Buffer.concat(blocks));
    const { exitCode, stdout } = await tlsnap(['import', capture, '--output', snapshot, '--json']);
    t.is(exitCode, 0);
    const warning = `${capture}: ${frames.length} packets have no time; hellos in them stand at 1970-01-01T00:00:00.000000000Z in its place`;
    t.is(warningsOf(stdout), warning);
    t.like(await manifestOf(snapshot), {
      window: { start: time, end: time, endedBy: 'input-end' },
      coverage: { events: 4, lossesByKind: {}, notes: [warning] },
    });
    t.is((await tlsnap(['verify', snapshot])).exitCode, 0);
  }
});

test('ports between which QUIC is given up, after too many packets that no key opens, are told and exit 1', async (t) => {
  const { folder, snapshot, tlsnap } = await setting(t);
  const capture = join(folder, 'junk.pcap');
  const [packet = Buffer.alloc(0)] = new QuicInitials(Buffer.alloc(8)).hello('client', Buffer.alloc(4));
  packet[packet.length - 1] = (packet[packet.length - 1] ?? 0) ^ 1;
  const junk = new Datagrams(443).from('client', packet);
  await writeFile(
    capture,
    pcapOf(
      101,
      Array.from({ length: 1024 }, () => junk),
    ),
  );
  const { exitCode, stdout } = await tlsnap(['import', capture, '--output', snapshot, '--json']);
  t.is(exitCode, 1);
  t.regex(warningsOf(stdout), /between 1 pairs of ports no more QUIC was looked for/);
  t.like(await manifestOf(snapshot), {
    coverage: { lossesByKind: { 'flow.unopened': 1 }, limits: ['QUIC packets tried that no key opens'] },
  });
});

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  test(`${signal} ends an import that has no end: what was read is a snapshot that verify accepts`, async (t) => {
    const { folder, snapshot, tlsnap } = await setting(t);
    const ended = new AbortController();
    const running = tlsnap(['import', '-', '--output', snapshot, '--json'], {
      input: Readable.from(endlessFlow(Infinity)),
      cancelSignal: ended.signal,
      killSignal: signal,
      forceKillAfterDelay: false,
    });
    await until(async () => (await readdir(folder)).length > 0);
    // The hellos are in the first packets.
    await setTimeout(1000);
    ended.abort();
    const { exitCode, stdout } = await running;
    t.is(exitCode, 1);
    t.regex(warningsOf(stdout), /standard input: reading was ended at byte \d+; the \d+ packets before are kept/);
    t.like(await manifestOf(snapshot), {
      window: { endedBy: 'signal' },
      coverage: { events: 2, lossesByKind: { 'capture.unread-rest': 1 } },
    });
    t.is((await tlsnap(['verify', snapshot])).exitCode, 0);
    t.deepEqual(await readdir(folder), [basename(snapshot)]);
  });
}

test('a signal before anything came leaves nothing behind, and exits 65', async (t) => {
  const { folder, snapshot } = await setting(t);
  const running = execa(process.execPath, [RUN, 'import', '-', '--output', snapshot], {
    input: new PassThrough(),
    reject: false,
    forceKillAfterDelay: false,
  });
  await until(async () => takesSignals(await readFile(`/proc/${running.pid}/status`, 'utf8')));
  running.kill('SIGTERM');
  const { exitCode, stderr } = await running;
  t.is(exitCode, 65);
  t.regex(stderr, /gave nothing before it was ended/);
  t.deepEqual(await readdir(folder), []);
});

// The issue asks for 4 GB and a million flows. The sizes here keep `npm test` short; TLSNAP_FULL_SIZE=1 makes them whole.
const FULL = process.env.TLSNAP_FULL_SIZE === '1';
const PEAK_KB = 600 * 1024;

test('one endless flow is imported in bounded memory', async (t) => {
  const { snapshot, tlsnap } = await setting(t);
  const bytes = FULL ? 4 * 2 ** 30 : 200 * 2 ** 20;
  const { exitCode, stderr } = await tlsnap(['import', '-', '--output', snapshot], {
    input: Readable.from(endlessFlow(bytes)),
  });
  t.is(exitCode, 0);
  const { peak } = peakOf(stderr);
  t.log(`${bytes} bytes, peak of ${peak} kB`);
  t.true(peak < PEAK_KB, `peak of ${peak} kB`);
  t.like(await manifestOf(snapshot), { coverage: { events: 2 } });
});

test('flows of one packet each, more than are followed at once, are imported in bounded memory', async (t) => {
  const { snapshot, tlsnap } = await setting(t);
  const flows = FULL ? 1_000_000 : 300_000;
  const { exitCode, stderr } = await tlsnap(['import', '-', '--output', snapshot], {
    input: Readable.from(manyFlows(flows)),
  });
  // No hello is begun in any: nothing is lost where a flow makes room.
  t.is(exitCode, 0);
  t.like(await manifestOf(snapshot), { coverage: { events: 0, lossesByKind: {} } });
  const { peak } = peakOf(stderr);
  t.log(`${flows} flows, peak of ${peak} kB`);
  t.true(peak < PEAK_KB, `peak of ${peak} kB`);
});

/** A connection with both hellos and then nothing but data. */
function* endlessFlow(bytes: number): Generator<Buffer> {
  const wire = new Wire();
  const [client, server] = [helloRecord(1), helloRecord(2)];
  yield pcapOf(101, [wire.syn(), wire.synAck(), wire.data('client', 0, client), wire.data('server', 0, server)]);
  const packet = pcapRecord(wire.data('server', server.length, Buffer.alloc(60_000, 0x17)), 9);
  const piece = Buffer.concat(Array.from({ length: 64 }, () => packet));
  for (let sent = 0; sent < bytes; sent += piece.length) yield piece;
}

/** Every other one a SYN, the rest plain data that could go on to be anything. */
function* manyFlows(flows: number): Generator<Buffer> {
  yield pcapOf(101, []);
  const batch: Buffer[] = [];
  const [syn, data] = [new Wire().syn(), new Wire().data('client', 0, Buffer.from('GET / HTTP/1.1\r\n'))];
  for (let index = 0; index < flows; index++) {
    const packet = Buffer.from(index % 2 === 0 ? syn : data);
    packet.writeUInt32BE(0x0a000000 + index, 12);
    batch.push(pcapRecord(packet, index));
    if (batch.length === 1000) yield Buffer.concat(batch.splice(0));
  }
}

interface Setting {
  readonly folder: string;
  readonly snapshot: string;
  readonly tlsnap: (args: string[], options?: object) => Promise<Result & { stdout: string; stderr: string }>;
}

async function setting(t: ExecutionContext): Promise<Setting> {
  const folder = await mkdtemp(join(tmpdir(), 'tlsnap-import-test-'));
  t.teardown(() => rm(folder, { recursive: true }));
  const tlsnap = async (args: string[], options: object = {}) =>
    (await execa(process.execPath, ['--import', REPORT_PEAK, RUN, ...args], {
      reject: false,
      ...options,
    })) as unknown as Result & {
      stdout: string;
      stderr: string;
    };
  return { folder, snapshot: join(folder, 'snapshot.tlsnap.tar.gz'), tlsnap };
}

interface SomeManifest {
  readonly coverage?: { readonly events: number };
}

async function manifestOf(snapshot: string): Promise<SomeManifest> {
  const { stdout } = await execa('tar', ['-xzOf', snapshot, '--wildcards', '*/manifest.json']);
  return JSON.parse(stdout) as SomeManifest;
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await setTimeout(20);
}

/** Whether a process takes signals by itself (proc_pid_status(5)). Node always takes SIGINT and SIGTERM, but not SIGHUP. */
function takesSignals(status: string): boolean {
  const caught = BigInt(`0x${/^SigCgt:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0'}`);
  return (caught & 1n) === 1n;
}

function warningsOf(stdout: string): string {
  return (JSON.parse(stdout) as { warnings: string[] }).warnings.join('\n');
}

function peakOf(stderr: string): { peak: number } {
  return { peak: Number(/peak (\d+) kB/.exec(stderr)?.[1] ?? NaN) };
}

/** Makes the process say at its end how much memory it had at most. */
const REPORT_PEAK = `data:text/javascript,${encodeURIComponent(
  'import{isMainThread}from"node:worker_threads";' +
    'isMainThread&&process.on("exit",()=>process.stderr.write("\\npeak "+process.resourceUsage().maxRSS+" kB\\n"))',
)}`;
