import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { reasonAgainstCommands, reasonAgainstLiveTests, testUnless } from '../left-out.js';
import { assertVerifies } from './judge.js';
import { openStage, PROJECT, readCaptured, TLSNAP } from './live.js';
import { startTlsServer } from './programs.js';

// What nobody foresaw goes wrong while a capture runs: what it has is in the spool, and whoever reads the error must know.

const reason = reasonAgainstLiveTests() ?? reasonAgainstCommands('bpftool', 'openssl');

for (const [callback, when] of [
  ['onArmed', 'as soon as the programs are attached'],
  ['onProgress', 'within the window'],
  ['onWindowEnd', 'when the window is over'],
] as const) {
  testUnless(reason, `an error ${when} names the spool, takes the programs off, and all is recovered`, async (t) => {
    const stage = await openStage(t);
    const { port } = await startTlsServer(stage);
    const output = join(stage.directory, 'broken.tlsnap.tar.gz');
    const connect = ['s_client', '-connect', `127.0.0.1:${port}`];
    const script = join(stage.directory, 'capture.mjs');
    await writeFile(script, CAPTURE);
    const running = execa(process.execPath, [script, PROJECT, stage.cgroup, output, callback]);
    if (callback === 'onWindowEnd') await stage.run('openssl', connect);
    const { stdout } = await running;
    const [message = '', ...attached] = stdout.split('\n');
    t.is(
      message,
      `RangeError: nobody foresaw this. All that was captured is in ${output}.spool: make the snapshot with tlsnap recover ${output}.spool --output FILE`,
    );
    t.deepEqual(attached, []);
    t.false(existsSync(output));
    const { exitCode } = await execa(process.execPath, [TLSNAP, 'recover', `${output}.spool`], { reject: false });
    t.is(exitCode, 0);
    await assertVerifies(t, output);
    t.is((await readCaptured(output)).snapshot.manifest.source, callback === 'onWindowEnd' ? 'live' : 'recovered');
  });
}

/** A capture that throws in one of its callbacks. Prints the error, and what is attached when it has been caught. */
const CAPTURE = `
import { execFileSync } from 'node:child_process';
const [project, directory, output, callback] = process.argv.slice(2);
const load = (path) => import(project + '/dist/' + path + '.js');
const { capture } = await load('capture/capture');
const { findCgroup } = await load('capture/cgroup2');
const { EVERYTHING } = await load('native/scope');
const { oneTimeSigner } = await load('snapshot/signer');
try {
  await capture({
    output, signer: oneTimeSigner(), windowMs: 4000, asked: 'PT4S', cgroup: findCgroup(directory), scope: EVERYTHING,
    ringBytes: 1 << 20, mapEntries: 1024, btfPath: null, environ: false, encryptTo: [], redact: [], feeds: [], carve: 'none',
    limits: { spoolBytes: null, memoryBytes: null }, rehandshake: [], toolVersion: 'test', signal: new AbortController().signal,
    case: { case: null, evidence: null, examiner: null, description: null },
    [callback]() { throw new RangeError('nobody foresaw this'); },
  });
} catch (error) {
  console.log(error.name + ': ' + error.message);
  const attached = JSON.parse(execFileSync('bpftool', ['--json', 'cgroup', 'show', directory]).toString().trim() || '[]');
  for (const { name } of attached) console.log(name);
}
`;
