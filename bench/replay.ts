/**
 * Measures `replay` and `diff` on a long timeline.
 *
 *   node --import tsx bench/replay.ts [EVENTS] [FOLDER]
 *
 * Makes a snapshot (one million handshakes without EVENTS, and a process for every ten), plays it in every format and
 * compares it with itself, each in a process of its own; prints events a second and that process's peak memory.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { diffSnapshots } from '../src/analysis/diff.js';
import { replayOutput, type ReplayFormat } from '../src/analysis/replay-output.js';
import { replaySnapshot } from '../src/analysis/replay.js';
import { oneTimeSigner } from '../src/snapshot/signer.js';
import { SnapshotWriter } from '../src/snapshot/writer.js';
import { madeHello } from '../test/analysis/made-snapshot.js';
import { factsOf, HOST, PROCESS } from '../test/snapshot/sample.js';
import { HELLOS } from './match-hellos.js';

const [mode = '1000000', ...rest] = process.argv.slice(2);
if (mode === 'measure') await measure(rest[0] ?? '', rest[1] ?? '');
else await main(Number(mode), rest[0]);

async function main(events: number, folder: string | undefined): Promise<void> {
  const place = folder ?? mkdtempSync(join(tmpdir(), 'tlsnap-bench-'));
  const snapshot = join(place, `replay-${events}.tlsnap.tar.gz`);
  if (!existsSync(snapshot)) await makeSnapshot(snapshot, place, events);
  console.log(`${events} events, ${Math.round(statSync(snapshot).size / 1e6)} MB`);
  for (const what of ['ndjson', 'csv', 'table', 'diff']) {
    const args = [...process.execArgv, fileURLToPath(import.meta.url), 'measure', snapshot, what];
    console.log(`${what}: ${execFileSync(process.execPath, args).toString().trim()}`);
  }
  if (folder === undefined) rmSync(place, { recursive: true });
}

async function measure(snapshot: string, what: string): Promise<void> {
  const start = performance.now();
  const events = what === 'diff' ? await compared(snapshot) : await played(snapshot, what as ReplayFormat);
  const seconds = (performance.now() - start) / 1000;
  const { userCPUTime, maxRSS } = process.resourceUsage();
  console.log(
    `${Math.round(events / seconds)} handshakes/s (${seconds.toFixed(1)} s), CPU ${(userCPUTime / 1e6).toFixed(1)} s, ` +
      `peak ${Math.round(maxRSS / 1024)} MiB`,
  );
}

async function played(snapshot: string, format: ReplayFormat): Promise<number> {
  const output = replayOutput(format, null, false);
  let bytes = 0;
  const { handshakes } = await replaySnapshot(snapshot, { speed: Infinity, feeds: [] }, (events) => {
    bytes += output.text(events).length;
    return Promise.resolve();
  });
  if (bytes === 0) throw new Error('nothing was played');
  return handshakes;
}

/** Reads the snapshot twice, as BEFORE and as AFTER. */
async function compared(snapshot: string): Promise<number> {
  const { before, after } = await diffSnapshots(snapshot, snapshot, []);
  return before.handshakes + after.handshakes;
}

async function makeSnapshot(output: string, place: string, events: number): Promise<void> {
  const staging = join(place, 'staging');
  mkdirSync(staging, { mode: 0o700 });
  const writer = SnapshotWriter.create({ output, staging });
  const messages = HELLOS.map((hello) => Buffer.from(hello, 'base64'));
  const rows = messages.map((message) => ({ message, row: madeHello({ message }) }));
  const start = BigInt(Date.parse('2026-11-22T09:00:00Z')) * 1_000_000n;
  const timeOf = (at: number): [bigint, string] => {
    const ns = start + BigInt(at) * 60_000n;
    const text = new Date(Number(ns / 1_000_000n)).toISOString();
    return [ns, text.replace('Z', `${String(ns % 1_000_000n).padStart(6, '0')}Z`)];
  };
  for (let seq = 0; seq < events; seq++) {
    const { message, row } = rows[seq % rows.length] ?? {};
    if (!message || !row) continue;
    createHash('sha256').update(String(seq)).digest().copy(message, 6);
    const [ns, time] = timeOf(seq);
    const process = { ...row.process, pid: Math.floor(seq / 10), startTimeNs: String(seq) };
    writer.handshakes.add(ns, { ...row, time, process, hello: { ...row.hello, raw: message.toString('base64') } });
  }
  for (let pid = 0; pid < events / 10; pid++) {
    const [firstSeen, exited] = [timeOf(pid * 10)[1], timeOf(pid * 10 + 9)[1]];
    writer.processes.add({
      ...PROCESS,
      pid,
      firstSeen,
      exited,
      exitCode: 0,
      cmdline: ['curl', `https://example.org/${pid}`],
    });
  }
  writer.host(HOST);
  await writer.finish(factsOf(events), oneTimeSigner());
  writer.close();
  rmSync(staging, { recursive: true, force: true });
}
