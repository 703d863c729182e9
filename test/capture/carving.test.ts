import { writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import test from 'ava';
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
