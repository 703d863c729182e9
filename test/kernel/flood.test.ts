import { setTimeout as sleep } from 'node:timers/promises';
import { openSnapshot } from '../../src/snapshot/reader.js';
import { reasonAgainstCommands, reasonAgainstLiveTests, testUnless } from '../left-out.js';
import { openStage } from './live.js';
import { compileActor, writeHello } from './programs.js';

// More than the ring can hold. What was sent is the word of the program that sent it, and each hello carries its number.

const reason = reasonAgainstLiveTests() ?? reasonAgainstCommands('cc');

testUnless(
  reason,
  'of 200,000 hellos with the consumer stopped half-way, as many are told lost as are missing',
  async (t) => {
    t.timeout(100_000);
    const stage = await openStage(t);
    const flood = await compileActor(stage.directory, 'numbered-hellos');
    const { file } = await writeHello(stage.directory);
    const capture = await stage.openCapture({ flags: ['--map-size', '1024'] });
    const flooding = stage.run(flood, [file, String(CONNECTIONS), '0'], { timeout: 80_000 });
    await sleep(200);
    capture.process.kill('SIGSTOP');
    const { stdout } = await flooding;
    capture.process.kill('SIGCONT');
    t.is(Number(stdout), CONNECTIONS);
    await sleep(500);
    capture.process.kill('SIGINT');
    const { exitCode, stderr } = await capture.process;
    t.is(exitCode, 1, stderr);

    // Both ends are on this host: each hello is an event of either, and each has its number once.
    const seen = { client: new Set<number>(), server: new Set<number>() };
    let rows = 0;
    const snapshot = await openSnapshot(capture.path);
    for await (const batch of snapshot.rows('handshakes')) {
      for (const { role, hello } of batch) {
        rows++;
        if (role !== null) seen[role].add(Buffer.from(hello.raw, 'base64').readUInt32BE(6));
      }
    }
    t.is(seen.client.size + seen.server.size, rows, 'no event twice');
    const missing = 2 * CONNECTIONS - rows;
    t.true(missing > 0, 'the ring was large enough for all');
    const { lossesByKind, reconciliation } = snapshot.manifest.coverage;
    t.is(lossesByKind['ring.hellos'], missing);
    t.deepEqual(reconciliation, { seen: 2 * CONNECTIONS, kept: rows, filtered: 0, lost: missing });
    t.log(`${missing} of ${2 * CONNECTIONS} lost, all of them counted`);
  },
);

const CONNECTIONS = 100_000;
