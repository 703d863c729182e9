/**
 * Compares what this project finds in a folder of captures with the folder's `expected.jsonl`; see docs/conformance.md.
 *
 *   node --import tsx scripts/conformance.ts FOLDER
 *
 * Prints one line a difference. Exits 1 where a hello is missed, or where a value that two independent tools confirm differs.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { openByteSource } from '../src/pcap/file/byte-source.js';
import { readCapture } from '../src/pcap/file/read-capture.js';
import { HelloExtractor } from '../src/pcap/flow/hello-extractor.js';
import { helloRow } from '../src/pcap/hello/hello-row.js';
import type { HandshakeRow } from '../src/snapshot/timeline-file.js';
import { describeHello } from '../src/tls/describe.js';
import { FingerprintCache } from '../src/tls/fingerprint-cache.js';

interface Expected {
  pcap: string;
  frame: number;
  src: string;
  sport: string;
  dst: string;
  dport: string;
  kind: 'client' | 'server';
  transport: 'tls' | 'quic' | 'dtls' | 'sslv2';
  sni?: string | null;
  ja3?: string;
  ja3_string?: string;
  ja3s?: string;
  ja3s_string?: string;
  ja4?: string;
  ja4_r?: string;
  raw_hex: string;
  confirmed_by_2?: Record<string, boolean>;
}

interface Found {
  readonly row: HandshakeRow;
  taken: boolean;
}

/** How serious a difference is; those in lower case are explained in docs/conformance.md. */
type Verdict = 'MISSED' | 'DIFFERS' | 'differs, unconfirmed' | 'not recorded' | 'retransmission' | 'extra';

interface Difference {
  readonly verdict: Verdict;
  readonly where: string;
  readonly detail: string;
}

const folder = process.argv[2];
if (folder === undefined) {
  process.stderr.write('usage: node --import tsx scripts/conformance.ts FOLDER\n');
  process.exit(2);
}
const expected = readFileSync(join(folder, 'expected.jsonl'), 'utf8')
  .split('\n')
  .filter((line) => line !== '')
  .map((line) => JSON.parse(line) as Expected);
const differences: Difference[] = [];
let equalValues = 0;
for (const pcap of new Set(expected.map((hello) => hello.pcap))) {
  const found = (await hellosOf(join(folder, 'pcaps', pcap))).map((row): Found => ({ row, taken: false }));
  for (const wanted of expected.filter((hello) => hello.pcap === pcap)) compare(wanted, found);
  for (const { row, taken } of found) {
    if (!taken)
      note('extra', `${pcap} ${flowOf(row)}`, `${row.kind} hello, complete ${row.hello.complete}, error ${row.error}`);
  }
}
for (const { verdict, where, detail } of differences) process.stdout.write(`${verdict}: ${where}: ${detail}\n`);
const failures = differences.filter(({ verdict }) => verdict === 'MISSED' || verdict === 'DIFFERS').length;
const summary = `${expected.length} hellos expected, ${equalValues} values equal, ${differences.length} differences, ${failures} failures`;
process.stdout.write(`${summary}\n`);
process.exitCode = failures === 0 ? 0 : 1;

async function hellosOf(path: string): Promise<HandshakeRow[]> {
  const rows: HandshakeRow[] = [];
  const cache = new FingerprintCache();
  const extractor = new HelloExtractor((hello, ends) => rows.push(helloRow(hello, ends, cache)));
  const source = await openByteSource(path, process.stdin);
  await readCapture(source, extractor);
  extractor.end();
  await source.close();
  return rows;
}

function compare(wanted: Expected, found: Found[]): void {
  const where = `${wanted.pcap} frame ${wanted.frame} ${wanted.src}:${wanted.sport}`;
  const raw = Buffer.from(wanted.raw_hex, 'hex');
  const same = found.filter(({ row }) => isSameHello(row, wanted, raw));
  const match = same.find(({ taken }) => !taken);
  if (!match) {
    if (same.length > 0) note('retransmission', where, 'the same bytes were seen before in this flow');
    else note('MISSED', where, `${wanted.kind} hello of ${raw.length} bytes over ${wanted.transport}`);
    return;
  }
  match.taken = true;
  const { fingerprints, tls } = match.row;
  const values: [string, string | null | undefined, string | null | undefined][] = [
    ['ja3', wanted.ja3, fingerprints?.ja3],
    ['ja3_string', wanted.ja3_string, fingerprints?.ja3String],
    ['ja3s', wanted.ja3s, fingerprints?.ja3s],
    ['ja3s_string', wanted.ja3s_string, fingerprints?.ja3sString],
    ['ja4', wanted.ja4, fingerprints?.ja4],
    ['ja4_r', wanted.ja4_r, fingerprints?.ja4r],
    ['sni', wanted.sni, tls?.serverName],
  ];
  for (const [name, want, have] of values) {
    if (want === undefined) continue;
    if (want === (have ?? null)) {
      equalValues++;
      continue;
    }
    if (tls?.helloRetryRequest && name.startsWith('ja3s') && want === jaOfRetry(raw, name)) {
      note('not recorded', where, `${name} of a HelloRetryRequest; derived from its bytes it is as expected`);
      continue;
    }
    const confirmed = wanted.confirmed_by_2?.[name.replace(/_string$|_r$/, '')] ?? false;
    note(confirmed ? 'DIFFERS' : 'differs, unconfirmed', where, `${name} is ${have ?? 'absent'}, expected ${want}`);
  }
}

/** The timeline gives a HelloRetryRequest no JA3S, as it is no answer yet. Other tools do: here, with another random. */
function jaOfRetry(raw: Buffer, name: string): string | undefined {
  const plain = Buffer.from(raw).fill(0, 6, 38);
  const { fingerprints } = describeHello(plain, { kind: 'server', transport: 'tcp', sslv2: false });
  return name === 'ja3s' ? fingerprints?.ja3s : fingerprints?.ja3sString;
}

function isSameHello(row: HandshakeRow, wanted: Expected, raw: Buffer): boolean {
  if (row.kind !== wanted.kind || row.flow.src !== wanted.src || row.flow.srcPort !== Number(wanted.sport))
    return false;
  if (row.flow.dst !== wanted.dst || row.flow.dstPort !== Number(wanted.dport)) return false;
  const have = Buffer.from(row.hello.raw, 'base64');
  return have.equals(raw) || (wanted.transport === 'dtls' && withoutFragmentHeader(have).equals(raw));
}

/** A DTLS message without message_seq, fragment_offset and fragment_length, as a TLS message of the same content. */
function withoutFragmentHeader(message: Buffer): Buffer {
  return Buffer.concat([message.subarray(0, 4), message.subarray(12)]);
}

function flowOf(row: HandshakeRow): string {
  return `${row.flow.src}:${row.flow.srcPort} > ${row.flow.dst}:${row.flow.dstPort}`;
}

function note(verdict: Verdict, where: string, detail: string): void {
  differences.push({ verdict, where, detail });
}
