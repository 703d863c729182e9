import { readFileSync, writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import test from 'ava';
import { Carver } from '../../src/capture/carver.js';
import { compose } from '../../src/capture/compose.js';
import { SpoolWriter } from '../../src/capture/spool-writer.js';
import { emptyProcess } from '../../src/procfs/process-row.js';
import { openSnapshot } from '../../src/snapshot/reader.js';
import { oneTimeSigner } from '../../src/snapshot/signer.js';
import { verifySnapshot } from '../../src/snapshot/verify.js';
import { temporaryFolder } from '../snapshot/sample.js';
import { appendNote, END, START } from './made-spool.js';

test('an executable that was written over since it was hashed is left out, and costs no more than itself', async (t) => {
  const folder = await temporaryFolder(t);
  const carved = (name: string) => {
    const path = join(folder, name);
    writeFileSync(path, name);
    return {
      sha256: createHash('sha256').update(name).digest('hex'),
      path,
      process: { ...emptyProcess(7), exe: path },
    };
  };
  const [changed, whole] = [carved('changed'), carved('whole')];
  writeFileSync(changed.path, 'other');
  const options = { spool: join(folder, 'x.spool'), output: join(folder, 'x.tlsnap.tar.gz') };
  const executables = () => Promise.resolve([changed, whole]);
  const spool = new SpoolWriter(options.spool);
  appendNote(spool, START);
  appendNote(spool, END);
  spool.close();
  await compose({ ...options, signer: oneTimeSigner(), encryptTo: [], removesSpool: false, executables });

  const snapshot = await openSnapshot(options.output);
  t.deepEqual(snapshot.manifest.coverage.limits, [
    'Executables that changed since they were hashed, and were not copied: 1.',
  ]);
  t.deepEqual(
    snapshot.manifest.members.map(({ path }) => path).filter((path) => path.startsWith('executables/')),
    [`executables/${whole.sha256}`],
  );
  t.true((await verifySnapshot(options.output)).ok);
});

test('512 executables are held, and what is more, or gone, is told', async (t) => {
  const carver = new Carver('all');
  t.teardown(() => carver.close());
  const running = { ...emptyProcess(process.pid), exe: process.execPath };
  const digestOf = (number: number): string => String(number).padStart(64, '0');
  for (let number = 0; number < 600; number++) {
    carver.see({ ...running, exeSha256: digestOf(number) });
    // Held already, and not held again.
    carver.see({ ...running, exeSha256: digestOf(0) });
    if (number === 300) await carver.executables(new Set());
  }
  t.is((await carver.executables(new Set())).length, 512);
  t.is(carver.missed(new Set()), 88);
});

test('the executable of a process that is gone is held where it was hashed', async (t) => {
  const folder = await temporaryFolder(t);
  const path = join(folder, 'brief');
  writeFileSync(path, 'brief');
  const carver = new Carver('matched');
  t.teardown(() => carver.close());
  // No process has this pid: pid_max is 2^22 at most (proc(5)).
  const gone = { ...emptyProcess(4_194_305), exe: path };
  carver.see({ ...gone, exeSha256: 'a'.repeat(64), exeHashedFrom: 'path' });
  carver.see({ ...gone, exeSha256: 'b'.repeat(64), exeHashedFrom: 'process' });
  const [held, ...more] = await carver.executables(new Set(['a'.repeat(64)]));
  t.is(more.length, 0);
  t.is(held && readFileSync(held.path, 'utf8'), 'brief');
  t.is(carver.missed(new Set(['b'.repeat(64)])), 1);
  t.is(carver.missed(new Set()), 0);
});
