import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { Carver } from '../../src/capture/carver.js';
import { composeMatched, openMatcher } from '../../src/capture/compose-matched.js';
import { FRAME } from '../../src/capture/spool.js';
import { SpoolWriter } from '../../src/capture/spool-writer.js';
import { emptyProcess } from '../../src/procfs/process-row.js';
import { oneTimeSigner } from '../../src/snapshot/signer.js';
import { processBytes } from '../native/sample-records.js';
import { temporaryFolder } from '../snapshot/sample.js';
import { appendHello, appendNote, END, START } from './made-spool.js';

const HITS = 300;
const PROCESSES = 300;

/** What is asked for when all is told. */
class Asked extends Carver {
  matched: ReadonlySet<string> = new Set();

  override executables(matched: ReadonlySet<string>) {
    this.matched = matched;
    return super.executables(matched);
  }
}

test('of many processes those whose hellos a feed names are carved', async (t) => {
  const folder = await temporaryFolder(t);
  const [spool, output, feed] = ['x.spool', 'x.tlsnap.tar.gz', 'feed.txt'].map((name) => join(folder, name));
  writeFileSync(feed ?? '', '127.0.0.2\n');
  const digest = (pid: number) => pid.toString(16).padStart(64, '0');
  const writer = new SpoolWriter(spool ?? '');
  appendNote(writer, START);
  // One made all the hellos.
  for (let pid = 10_000; pid < 10_000 + PROCESSES; pid++) {
    const startNs = 1_000_000_007n;
    writer.append(FRAME.kernel, processBytes({ pid, startNs, comm: 'client' }));
    const row = {
      ...emptyProcess(pid),
      startTimeNs: String(startNs),
      sources: ['proc' as const],
      exeSha256: digest(pid),
    };
    appendNote(writer, { note: 'process', row: { ...row, exe: `/bin/${pid}` } });
  }
  for (let number = 0; number < HITS; number++) appendHello(writer, number, { ownerPid: 10_007 });
  appendNote(writer, END);
  writer.close();
  const carver = new Asked('matched');
  const options = { output: output ?? '', signer: oneTimeSigner(), encryptTo: [] };
  const { hits } = await composeMatched(options, spool ?? '', await openMatcher([feed ?? '']), carver);
  t.is(hits.length, HITS);
  t.deepEqual([...carver.matched], [digest(10_007)]);
});
