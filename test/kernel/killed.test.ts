import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { compose } from '../../src/capture/compose.js';
import { readClocks } from '../../src/native/clocks.js';
import { oneTimeSigner } from '../../src/snapshot/signer.js';
import { verifySnapshot } from '../../src/snapshot/verify.js';
import { reasonAgainstCommands, reasonAgainstLiveTests, testUnless } from '../left-out.js';
import { openStage, readCaptured } from './live.js';
import { compileActor, writeHello } from './programs.js';

// A capture that is killed while hellos go out. What was sent, and when, is the word of the program that sent it.

const reason = reasonAgainstLiveTests() ?? reasonAgainstCommands('cc');

testUnless(
  reason,
  'killed at 20 random moments, it is recovered each time with all that is a second old',
  async (t) => {
    t.timeout(110_000);
    const stage = await openStage(t);
    const sender = await compileActor(stage.directory, 'numbered-hellos');
    const { file } = await writeHello(stage.directory);
    let kept = 0;
    for (let round = 0; round < 20; round++) {
      const log = join(stage.directory, `log-${round}`);
      const capture = await stage.openCapture();
      const busy = stage.start(sender, [file, '1000000', '2000', log]);
      const moment = Math.round(Math.random() * 1600);
      await sleep(moment);
      const killed = BigInt(readClocks().boottime);
      capture.process.kill('SIGKILL');
      await capture.process;
      process.kill(busy.pid, 'SIGKILL');
      await busy.process.catch(() => undefined);

      const output = join(stage.directory, `recovered-${round}.tlsnap.tar.gz`);
      const encryptTo: string[] = [];
      await compose({ spool: `${capture.path}.spool`, output, signer: oneTimeSigner(), encryptTo });
      const verification = await verifySnapshot(output);
      t.true(verification.ok, `killed after ${moment} ms: ${JSON.stringify(verification.checks)}`);
      const { snapshot, handshakes } = await readCaptured(output);
      t.like(snapshot.manifest, { source: 'recovered', window: { endedBy: 'killed' } });
      t.truthy(snapshot.manifest.recovered?.reason);
      const numbers = handshakes.map(
        ({ role, hello }) => `${role} ${Buffer.from(hello.raw, 'base64').readUInt32BE(6)}`,
      );
      const found = new Set(numbers);
      t.is(found.size, numbers.length, 'no event twice');
      const old = (existsSync(log) ? await readFile(log, 'utf8') : '')
        .split('\n')
        .slice(0, -1)
        .map((line) => line.split(' '))
        .filter(([, bootNs]) => BigInt(bootNs ?? 0) < killed - FSYNC_NS);
      const missing = old.flatMap(([number]) => ['client', 'server'].filter((role) => !found.has(`${role} ${number}`)));
      t.deepEqual(missing, [], `killed after ${moment} ms`);
      kept += numbers.length;
    }
    t.true(kept > 500, `only ${kept} events`);
  },
);

const FSYNC_NS = 1_000_000_000n;
