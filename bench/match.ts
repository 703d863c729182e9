/**
 * Measures `match`: a snapshot of many handshakes against a feed of 200,000 indicators.
 *
 *   node --import tsx bench/match.ts [EVENTS] [FOLDER]
 *
 * Makes the snapshot (one million handshakes without EVENTS), matches it with the built tlsnap, and prints what the whole
 * command took, feeds included. Half of the events are hellos of real programs, with a random of their own each.
 */
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Handshake } from '../src/snapshot/schema/handshake.js';
import { oneTimeSigner } from '../src/snapshot/signer.js';
import { SnapshotWriter } from '../src/snapshot/writer.js';
import { describeHello } from '../src/tls/describe.js';
import { FEED_SHAPES } from './feed-shapes.js';
import { HELLOS } from './match-hellos.js';
import { measured, pace, TLSNAP } from './measured.js';

const [events = '1000000', folder] = process.argv.slice(2);
await main(Number(events), folder);

async function main(events: number, folder: string | undefined): Promise<void> {
  const place = folder ?? mkdtempSync(join(tmpdir(), 'tlsnap-bench-'));
  const snapshot = join(place, `bench-${events}.tlsnap.tar.gz`);
  if (!existsSync(snapshot)) await makeSnapshot(snapshot, place, events);
  console.log(`${events} events, ${Math.round(statSync(snapshot).size / 1e6)} MB`);
  for (const [name, feeds] of Object.entries(makeFeeds(place))) {
    const flags = feeds.flatMap((feed) => ['--feed', feed]);
    const measure = await measured([...TLSNAP, 'match', snapshot, ...flags, '--format', 'ndjson', '--quiet']);
    console.log(`${name}: ${pace(measure, events)}`);
  }
  if (folder === undefined) rmSync(place, { recursive: true });
}

function makeFeeds(place: string): Record<string, string[]> {
  const random = (length: number) => randomBytes(length / 2).toString('hex');
  const ja3 = join(place, 'ja3.csv');
  const rows = Array.from(
    { length: 200_000 },
    (_, at) => `${random(32)},2019-01-01 00:00:00,2019-01-02 00:00:00,n${at}\n`,
  );
  writeFileSync(ja3, `# ja3_md5,Firstseen,Lastseen,Listingreason\n${rows.join('')}`);
  const ja4 = join(place, 'ja4.txt');
  // The same first section as a real hello, so that its other forms must be derived too.
  writeFileSync(ja4, Array.from({ length: 200_000 }, () => `t13d3112h2_${random(12)}_${random(12)}\n`).join(''));
  // The one that needs most memory while it is read: 180 MB.
  const misp = join(place, 'misp.json');
  writeFileSync(misp, FEED_SHAPES['MISP JSON, indented']?.(200_000) ?? '');
  return { 'JA3 feed': [ja3], 'JA4 feed, all forms derived': [ja4], both: [ja3, ja4], 'MISP feed': [misp] };
}

async function makeSnapshot(output: string, place: string, events: number): Promise<void> {
  const staging = join(place, 'staging');
  mkdirSync(staging, { mode: 0o700 });
  const writer = SnapshotWriter.create({ output, staging });
  const messages = HELLOS.map((hello) => Buffer.from(hello, 'base64'));
  const start = Date.parse('2026-11-22T09:00:00Z');
  for (let seq = 0; seq < events; seq++) {
    const message = messages[seq % messages.length];
    if (!message) continue;
    createHash('sha256').update(String(seq)).digest().copy(message, 6);
    const ns = BigInt(start) * 1_000_000n + BigInt(seq) * 60_000n;
    writer.handshakes.add(ns, rowOf(message, seq, ns));
  }
  const window = {
    asked: 'PT60S',
    start: '2026-11-22T09:00:00.000000000Z',
    end: '2026-11-22T09:01:00.000000000Z',
    endedBy: 'elapsed' as const,
  };
  await writer.finish(
    {
      tool: { name: 'tlsnap', version: '0' },
      source: 'pcap',
      case: { case: null, evidence: null, examiner: null, description: null },
      host: null,
      window,
      clocks: null,
      tier: null,
      features: [],
      coverage: {
        events,
        lossesByKind: {},
        hellosTruncated: 0,
        hellosWithoutProcess: 0,
        connectionsWithoutHello: null,
        socketsOlderThanWindow: null,
        kernelFeaturesMissing: [],
        limits: [],
        notes: [],
        redacted: 0,
        reconciliation: null,
      },
      chain: null,
      recovered: null,
      input: null,
    },
    oneTimeSigner(),
  );
  writer.close();
  rmSync(staging, { recursive: true, force: true });
}

function rowOf(message: Buffer, seq: number, ns: bigint): Omit<Handshake, 'seq'> {
  const { tls, fingerprints, error } = describeHello(message, { kind: 'client', transport: 'tcp', sslv2: false });
  const time = new Date(Number(ns / 1_000_000n))
    .toISOString()
    .replace('Z', `${String(ns % 1_000_000n).padStart(6, '0')}Z`);
  const process = {
    pid: 1000 + (seq % 5000),
    tid: 1000 + (seq % 5000),
    startTimeNs: String(10n ** 9n * BigInt(seq % 5000)),
    ppid: 1,
    uid: 1000,
    gid: 1000,
    comm: 'curl',
    threadComm: null,
    exe: '/usr/bin/curl',
    cgroup: '/system.slice/bench.service',
    container: null,
    attribution: 'connect' as const,
    sender: null,
  };
  return {
    time,
    bootTimeNs: String(ns),
    kind: 'client',
    role: 'client',
    transport: 'tcp',
    flow: {
      src: '192.0.2.10',
      srcPort: 1024 + (seq % 60_000),
      dst: '198.51.100.7',
      dstPort: 443,
      netns: 4026531840,
      cookie: String(seq),
    },
    process,
    hello: {
      raw: message.toString('base64'),
      complete: true,
      segments: 1,
      records: 1,
      streamOffset: 0,
      sslv2: false,
      afterRetry: false,
    },
    tls,
    fingerprints,
    kernel: { ja3: fingerprints?.ja3 ?? '', ja3Sha256: fingerprints?.ja3Sha256 ?? '' },
    error,
  };
}
