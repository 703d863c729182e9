import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { execa } from 'execa';
import type { Connection } from '../../scripts/fixtures/tshark-hellos.js';
import { FRAME } from '../../src/capture/spool.js';
import { SpoolReader } from '../../src/capture/spool-reader.js';
import { SpoolWriter } from '../../src/capture/spool-writer.js';
import { CHUNK_FLAGS, FINGERPRINT_FLAGS, LAYOUT, RECORD_TYPE, SIDE } from '../../src/native/layout.js';
import { recordAt } from '../../src/native/records.js';
import type { Action } from '../../src/snapshot/schema/action.js';
import type { Fingerprint } from '../../src/snapshot/schema/fingerprint.js';
import { reasonAgainstCommands, reasonAgainstLiveTests, testUnless } from '../left-out.js';
import { openBpfFileSystem } from './bpf-file-system.js';
import { assertVerifies, pythonExecutable } from './judge.js';
import { type Captured, openStage, PROJECT, type Stage, TLSNAP, until } from './live.js';
import { startTlsServer } from './programs.js';

// The kernel's map of fingerprints by process. JA3 is what tshark read of the same bytes (fixtures/hellos); pids and start
// times are what the processes said of themselves.

const reason = reasonAgainstLiveTests() ?? reasonAgainstCommands('python3', 'openssl', 'bpftool');

testUnless(
  reason,
  'the map has a row for each process, JA3 and end, with its count, and says who hashed it',
  async (t) => {
    const { stage, server, send } = await prepare(t);
    let [first, second] = [NOBODY, NOBODY];
    const captured = await stage.capture(async () => {
      first = await send('curl', 'openssl-default', 'curl', 'gnutls');
      second = await send('curl', 'python:bytes', 'python:bytes');
    });
    const [curl, openssl, gnutls, python] = ['curl', 'openssl-default', 'gnutls', 'python'].map(recorded);
    const rows = await fingerprintsOf(captured);
    t.deepEqual(
      rows
        .map(({ pid, ja3, ja3Sha256, side, count, hashedBy }) => [pid, ja3, ja3Sha256, side, count, hashedBy].join(' '))
        .sort(),
      [
        [first.pid, curl?.ja3, curl?.ja3Sha256, 'client', 2, 'kernel'],
        [first.pid, openssl?.ja3, openssl?.ja3Sha256, 'client', 1, 'kernel'],
        [first.pid, gnutls?.ja3, gnutls?.ja3Sha256, 'client', 1, 'kernel'],
        [second.pid, curl?.ja3, curl?.ja3Sha256, 'client', 1, 'kernel'],
        [second.pid, python?.ja3, python?.ja3Sha256, 'client', 2, 'user'],
        [server.pid, curl?.ja3, curl?.ja3Sha256, 'server', 3, 'kernel'],
        [server.pid, openssl?.ja3, openssl?.ja3Sha256, 'server', 1, 'kernel'],
        [server.pid, gnutls?.ja3, gnutls?.ja3Sha256, 'server', 1, 'kernel'],
        [server.pid, python?.ja3, python?.ja3Sha256, 'server', 2, 'user'],
      ]
        .map((row) => row.join(' '))
        .sort(),
    );
    for (const row of rows) {
      t.is(row.uid, 0);
      t.is(row.ppid, process.pid);
      t.deepEqual(row.flags, row.hashedBy === 'kernel' && row.side === 'server' ? ['sent'] : []);
      t.true(row.firstTime <= row.lastTime);
      t.is(row.firstTime === row.lastTime, row.count === 1);
      const sender = [first, second].find(({ pid }) => pid === row.pid);
      if (sender === undefined) continue;
      t.is(Math.floor(Number(row.startTimeNs) / NS_PER_TICK), sender.startTicks);
      t.is(row.comm, basename(await pythonExecutable()));
    }
    t.is(captured.exitCode, 0, captured.stderr);
    await assertVerifies(t, captured.path);
  },
);

testUnless(
  reason,
  "every event carries the kernel's digests, equal to those of its bytes, unless it came in pieces",
  async (t) => {
    const { stage, send } = await prepare(t);
    const captured = await stage.capture(async () => {
      await send('curl', 'gnutls:bytes', 'chromium');
    });
    t.is(captured.handshakes.filter(({ kind }) => kind === 'client').length, 6);
    for (const { kind, kernel, fingerprints, hello, error } of captured.handshakes) {
      t.is(error, null);
      const { ja3, ja3Sha256 } = fingerprints ?? {};
      t.deepEqual(kernel, kind === 'client' && hello.segments === 1 ? { ja3, ja3Sha256 } : null);
    }
  },
);

testUnless(
  reason,
  'a full map keeps what it has, counts what it could not hold, and makes the exit code 1',
  async (t) => {
    const { stage, port, send, server } = await prepare(t);
    server.process.kill('SIGKILL');
    const sink = ['-c', SINK, String(port)];
    await server.process.catch(() => undefined);
    await stage.serve(port, 'python3', sink);
    let sender: Sender | undefined;
    const captured = await stage.capture(
      async () => {
        sender = await send('curl', 'gnutls', 'python', 'openssl-default', 'python', 'curl');
      },
      { flags: ['--map-size', '2'] },
    );
    // The sink never answers in TLS: only the client's side is counted.
    t.deepEqual(
      (await fingerprintsOf(captured)).map(({ pid, ja3, count }) => [pid, ja3, count].join(' ')).sort(),
      [[sender?.pid, recorded('curl').ja3, 2].join(' '), [sender?.pid, recorded('gnutls').ja3, 1].join(' ')].sort(),
    );
    t.deepEqual(captured.snapshot.manifest.coverage.lossesByKind, { 'kernel.map-full': 3 });
    t.is(captured.exitCode, 1);
    t.is(captured.handshakes.filter(({ role }) => role === 'client').length, 6, 'the timeline has them all');
  },
);

testUnless(reason, "bpftool prints a running capture's map by field name", async (t) => {
  const { stage, send } = await prepare(t);
  // A size that nobody else's capture has tells the map.
  const size = 50_000 + (process.pid % 10_000);
  let dumped: MapEntry[] = [];
  let sender: Sender | undefined;
  await stage.capture(
    async () => {
      sender = await send('curl', 'curl');
      const maps = (await bpftool('map', 'show')) as { id: number; name?: string; max_entries: number }[];
      const map = maps.find(({ name, max_entries }) => name === 'fingerprints' && max_entries === size);
      dumped = (await bpftool('map', 'dump', 'id', String(map?.id))) as MapEntry[];
    },
    { flags: ['--map-size', String(size)] },
  );
  const entry = dumped.map(({ formatted }) => formatted).find(({ key }) => key.pid === sender?.pid);
  const { ja3, ja3Sha256 } = recorded('curl');
  t.is(Buffer.from(entry?.key.ja3_md5 ?? []).toString('hex'), ja3);
  t.is(Buffer.from(entry?.value.ja3_sha256 ?? []).toString('hex'), ja3Sha256);
  t.is(entry?.value.count, 2);
  t.deepEqual(
    [entry?.key.side, entry?.value.side, entry?.value.flags],
    [SIDE.CLIENT, SIDE.CLIENT, FINGERPRINT_FLAGS.HASHED],
  );
  t.is(entry?.value.uid, 0);
  t.is(entry?.value.ppid, process.pid);
  t.is(entry?.value.comm, basename(await pythonExecutable()));
});

testUnless(reason, 'bpftool loads the shipped object as it is, and knows the map by its types', async (t) => {
  const pins = await openBpfFileSystem(t);
  const object = join(PROJECT, 'bpf/build/tlsnap.bpf.o');
  await execa('bpftool', ['prog', 'loadall', object, join(pins, 'programs'), 'pinmaps', join(pins, 'maps')]);
  const map = join(pins, 'maps/fingerprints');
  const { key, value } = { key: LAYOUT.fingerprint_key.size, value: LAYOUT.fingerprint.size };
  const bytes = (length: number, first: number) => [String(first), ...Array.from({ length: length - 1 }, () => '0')];
  await execa('bpftool', ['map', 'update', 'pinned', map, 'key', ...bytes(key, 77), 'value', ...bytes(value, 9)]);
  const [entry] = (await bpftool('map', 'dump', 'pinned', map)) as MapEntry[];
  t.is(entry?.formatted.key.pid, 77);
  t.is(entry?.formatted.value.ja3_sha256[0], 9);
});

testUnless(
  reason,
  'digests of the kernel that the bytes do not give are an event of their own, an error on the row, a loss, and exit 1',
  async (t) => {
    const { stage, send } = await prepare(t);
    const capture = await stage.openCapture();
    await send('curl', 'gnutls');
    const spool = `${capture.path}.spool`;
    await until('the spool has the hellos', 10_000, () => chunksIn(spool) >= 8);
    capture.process.kill('SIGKILL');
    await capture.process;

    const forged = join(stage.directory, 'forged.tlsnap.tar.gz.spool');
    const changed = forge(spool, forged);
    t.true(changed > 0);
    const { exitCode, stdout } = await execa(process.execPath, [TLSNAP, 'recover', forged, '--json'], {
      reject: false,
    });
    const { coverage, snapshot } = JSON.parse(stdout) as { coverage: { lossesByKind: object }; snapshot: string };
    t.is(exitCode, 1);
    t.like(coverage.lossesByKind, { 'kernel.ja3-disagreements': changed });
    const rows = (await linesOf(snapshot, 'handshakes')) as Captured['handshakes'];
    const disagreeing = rows.filter(({ error }) => error !== null);
    t.is(disagreeing.length, changed);
    for (const { error, kernel, fingerprints } of disagreeing) {
      t.is(error, `kernel ja3 ${kernel?.ja3} is not what the raw bytes give: ${fingerprints?.ja3}`);
    }
    const disputed = ((await linesOf(snapshot, 'actions')) as Action[]).filter(
      ({ action }) => action === 'hello-disputed',
    );
    t.deepEqual(
      disputed.map(({ time, subject, detail }) => [time, subject, detail]).sort(),
      disagreeing
        .map(({ time, flow: { src, srcPort, dst, dstPort }, process, error }) => [
          time,
          `${src}:${srcPort} -> ${dst}:${dstPort}`,
          `pid ${process?.pid}: ${error}`,
        ])
        .sort(),
    );
  },
);

interface Sender {
  readonly pid: number;
  /** Clock ticks since boot, of which Linux has 100 a second for user space. */
  readonly startTicks: number;
}

interface MapEntry {
  readonly formatted: {
    readonly key: { pid: number; start_boot_ns: number; ja3_md5: number[]; side: number };
    readonly value: {
      ja3_sha256: number[];
      count: number;
      uid: number;
      ppid: number;
      comm: string;
      side: number;
      flags: number;
    };
  };
}

/** A stage with a server, and a way to have a process send recorded hellos, in pieces where `:bytes` follows the name. */
async function prepare(t: ExecutionContext) {
  const stage = await openStage(t);
  const { port, server } = await startTlsServer(stage);
  const send = (...names: string[]): Promise<Sender> => sendHellos(stage, port, names);
  return { stage, port, server, send };
}

async function sendHellos(stage: Stage, port: number, names: readonly string[]): Promise<Sender> {
  const files = await Promise.all(
    names.map(async (word) => {
      const [name = '', how] = word.split(':');
      const file = join(stage.directory, name);
      if (!existsSync(file)) await writeFile(file, recorded(name).record);
      return how === undefined ? file : `${file}:${how}`;
    }),
  );
  const script = join(import.meta.dirname, 'actors/send_hellos.py');
  const { stdout } = await stage.run(await pythonExecutable(), [script, String(port), ...files]);
  const [pid, startTicks] = String(stdout).split(' ').map(Number);
  return { pid: pid ?? 0, startTicks: startTicks ?? 0 };
}

/** The first hello of a recorded connection, as it lay on the wire, and what tshark read of it. */
function recorded(name: string): { record: Buffer; ja3: string; ja3Sha256: string } {
  const lines = readFileSync(join(PROJECT, 'fixtures/hellos/hellos.ndjson'), 'utf8').trim().split('\n');
  const connection = lines.map((line) => JSON.parse(line) as Connection).find((each) => each.name === name);
  const { ja3 = '', ja3String = '' } = connection?.hellos[0] ?? {};
  const record = Buffer.from(connection?.segments[0]?.[2] ?? '', 'hex');
  return { record, ja3, ja3Sha256: createHash('sha256').update(ja3String).digest('hex') };
}

async function fingerprintsOf({ snapshot }: Captured): Promise<Fingerprint[]> {
  const all: Fingerprint[] = [];
  for await (const batch of snapshot.rows('fingerprints')) all.push(...batch);
  return all;
}

/** A member's rows, as tar(1) and JSON alone give them. */
async function linesOf(snapshot: string, member: string): Promise<unknown[]> {
  const { stdout } = await execa('tar', ['-xzOf', snapshot, '--wildcards', `*/${member}.ndjson`]);
  return stdout.split('\n').map((line) => JSON.parse(line) as unknown);
}

async function bpftool(...args: string[]): Promise<unknown> {
  const { stdout } = await execa('bpftool', ['--json', ...args]);
  return JSON.parse(stdout);
}

function chunksIn(spool: string): number {
  let chunks = 0;
  for (const { kind, payload } of new SpoolReader(spool).frames()) {
    if (kind === FRAME.kernel) for (const { type } of recordsIn(payload)) if (type === RECORD_TYPE.CHUNK) chunks++;
  }
  return chunks;
}

/** Copies a spool, and turns one bit in each digest that the kernel made. Returns how many. */
function forge(from: string, to: string): number {
  const writer = new SpoolWriter(to);
  const { ja3, flags } = LAYOUT.chunk.members;
  let changed = 0;
  for (const { kind, payload } of new SpoolReader(from).frames()) {
    const copy = Buffer.from(payload);
    for (const { type, record } of kind === FRAME.kernel ? recordsIn(copy) : []) {
      if (type !== RECORD_TYPE.CHUNK || (record.readUInt8(flags[0]) & CHUNK_FLAGS.HASHED) === 0) continue;
      record.writeUInt8(record.readUInt8(ja3[0]) ^ 1, ja3[0]);
      changed++;
    }
    writer.append(kind, copy);
  }
  writer.close();
  return changed;
}

function* recordsIn(bytes: Buffer): Generator<{ type: number; record: Buffer }> {
  for (let at = 0; at < bytes.length;) {
    const { type, size } = recordAt(bytes, at);
    yield { type, record: bytes.subarray(at, at + size) };
    at += (size + 7) & ~7;
  }
}

const NOBODY: Sender = { pid: 0, startTicks: 0 };
const NS_PER_TICK = 10_000_000;

/** Takes connections, one after the other, and answers each with something that is not TLS. */
const SINK = `
import socket, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    connection, _ = listener.accept()
    connection.recv(65536)
    connection.sendall(b"no")
    connection.close()
`;
