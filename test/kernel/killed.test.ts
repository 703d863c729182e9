import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ExecutionContext } from 'ava';
import { execa } from 'execa';
import { compose } from '../../src/capture/compose.js';
import { readClocks } from '../../src/native/clocks.js';
import { oneTimeSigner } from '../../src/snapshot/signer.js';
import { verifySnapshot } from '../../src/snapshot/verify.js';
import { reasonAgainstCommands, reasonAgainstLiveTests, testUnless } from '../left-out.js';
import { openStage, readCaptured, TLSNAP } from './live.js';
import { compileActor, writeHello } from './programs.js';

// A capture that is killed while hellos go out. What was sent, and when, is the word of the program that sent it.

const reason = reasonAgainstLiveTests() ?? reasonAgainstCommands('cc');

testUnless(
  reason,
  'killed at 20 random moments, it is recovered each time with all that is a second old',
  async (t) => {
    t.timeout(115_000);
    const stage = await openStage(t);
    const sender = await compileActor(stage.directory, 'numbered-hellos');
    const { file } = await writeHello(stage.directory);
    // Lanes, each with a cgroup of its own: most of the time goes by with starting.
    const lanes = ['a', 'b', 'c', 'd'].map(async (name) => {
      const cgroup = stage.childCgroup(name);
      let kept = 0;
      for (let round = 0; round < 5; round++) {
        const log = join(stage.directory, `log-${name}${round}`);
        const capture = await stage.openCapture({ cgroup });
        const busy = stage.start(sender, [file, '1000000', '2000', log], { cgroup });
        await sleep(Math.random() * 1600);
        const killedNs = BigInt(readClocks().boottime);
        capture.process.kill('SIGKILL');
        await capture.process;
        process.kill(busy.pid, 'SIGKILL');
        await busy.process.catch(() => undefined);
        kept += await assertRecovered(t, capture.path, log, killedNs);
      }
      return kept;
    });
    const kept = await Promise.all(lanes);
    t.true(
      kept.every((count) => count > 100),
      `events kept: ${kept.join(', ')}`,
    );
  },
);

testUnless(
  reason,
  'while a capture runs its spool is not recovered, nor removed; when it was killed it is',
  async (t) => {
    const stage = await openStage(t);
    const capture = await stage.openCapture();
    const spool = `${capture.path}.spool`;
    const output = `${capture.path}.recovered`;
    const recover = (spool: string) =>
      execa(process.execPath, [TLSNAP, 'recover', spool, '--output', output, '--remove', '--json'], { reject: false });
    const refused = await recover(spool);
    t.is(refused.exitCode, 65);
    const { error } = JSON.parse(refused.stdout) as { error: { message: string } };
    t.is(error.message, `${spool}: is still written to: its capture runs, as process ${capture.process.pid}`);
    t.false(existsSync(output));
    capture.process.kill('SIGINT');
    const { exitCode } = await capture.finished();
    t.is(exitCode, 0);

    const killed = await stage.openCapture();
    killed.process.kill('SIGKILL');
    await killed.process;
    t.is((await recover(`${killed.path}.spool`)).exitCode, 0);
    t.true(existsSync(output));
    t.false(existsSync(`${killed.path}.spool`));
  },
);

/** Recovers the spool of a capture and compares it with what the sender logged; returns the number of events. */
async function assertRecovered(t: ExecutionContext, path: string, log: string, killedNs: bigint): Promise<number> {
  const output = `${path}.recovered`;
  await compose({ spool: `${path}.spool`, output, signer: oneTimeSigner(), encryptTo: [], removesSpool: true });
  const verification = await verifySnapshot(output);
  t.true(verification.ok, JSON.stringify(verification.checks));
  const { snapshot, handshakes } = await readCaptured(output);
  t.like(snapshot.manifest, { source: 'recovered', window: { endedBy: 'killed' } });
  t.truthy(snapshot.manifest.recovered?.reason);
  const numbers = handshakes.map(({ role, hello }) => `${role} ${Buffer.from(hello.raw, 'base64').readUInt32BE(6)}`);
  const found = new Set(numbers);
  t.is(found.size, numbers.length, 'no event twice');
  const sent = existsSync(log) ? (await readFile(log, 'utf8')).split('\n').slice(0, -1) : [];
  const missing = sent
    .map((line) => line.split(' '))
    .filter(([, bootNs]) => BigInt(bootNs ?? 0) < killedNs - FSYNC_NS)
    .flatMap(([number]) => ['client', 'server'].filter((role) => !found.has(`${role} ${number}`)));
  t.deepEqual(missing, []);
  return numbers.length;
}

const FSYNC_NS = 1_000_000_000n;
