/**
 * Measures `replay` and `diff` on a long timeline.
 *
 *   node --import tsx bench/replay.ts [EVENTS] [FOLDER]
 *
 * Makes a snapshot (one million handshakes without EVENTS, and a process for every ten), plays it in every format and
 * compares it with itself, with the built tlsnap; prints what each whole command took.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { REPLAY_FORMATS } from '../src/analysis/replay-output.js';
import { oneTimeSigner } from '../src/snapshot/signer.js';
import { SnapshotWriter } from '../src/snapshot/writer.js';
import { madeHello } from '../test/analysis/made-snapshot.js';
import { factsOf, HOST, PROCESS } from '../test/snapshot/sample.js';
import { HELLOS } from './match-hellos.js';
import { measured, pace, TLSNAP } from './measured.js';

const [events = '1000000', folder] = process.argv.slice(2);
await main(Number(events), folder);

async function main(events: number, folder: string | undefined): Promise<void> {
  const place = folder ?? mkdtempSync(join(tmpdir(), 'tlsnap-bench-'));
  const snapshot = join(place, `replay-${events}.tlsnap.tar.gz`);
  if (!existsSync(snapshot)) await makeSnapshot(snapshot, place, events);
  console.log(`${events} events, ${Math.round(statSync(snapshot).size / 1e6)} MB`);
  for (const format of REPLAY_FORMATS) {
    const measure = await measured([...TLSNAP, 'replay', snapshot, '--speed', 'max', '--format', format]);
    console.log(`replay, ${format}: ${pace(measure, events)}`);
  }
  // Read twice, as BEFORE and as AFTER.
  const measure = await measured([...TLSNAP, 'diff', snapshot, snapshot, '--format', 'json']);
  console.log(`diff: ${pace(measure, 2 * events)}`);
  if (folder === undefined) rmSync(place, { recursive: true });
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
