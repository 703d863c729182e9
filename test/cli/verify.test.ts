import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { oneTimeSigner } from '../../src/snapshot/signer.js';
import { publicKeyLine } from '../../src/snapshot/ssh-key.js';
import type { Verification } from '../../src/snapshot/verification.js';
import { temporaryFolder, writeSample } from '../snapshot/sample.js';
import { runCli } from './run-cli.js';

test('a good snapshot: exit 0, and the manifest digest and the signer are told', async (t) => {
  const signer = oneTimeSigner();
  const { path, manifestSha256, manifest } = await writeSample(await temporaryFolder(t), { signer });
  const { exitCode, stdout, stderr } = await runCli(['verify', path]);
  t.is(exitCode, 0);
  t.is(stderr, '');
  t.regex(stdout, /: verified\n/);
  t.regex(stdout, new RegExp(`^manifest  ${manifestSha256}$`, 'm'));
  t.true(stdout.includes(manifest.signer.fingerprint));
});

test('a damaged snapshot: exit 1 with and without --json, and the place is named', async (t) => {
  const { path } = await writeSample(await temporaryFolder(t));
  const bytes = await readFile(path);
  bytes[9] = (bytes[9] ?? 0) ^ 1;
  await writeFile(path, bytes);
  const plain = await runCli(['verify', path]);
  t.is(plain.exitCode, 1);
  t.regex(plain.stdout, /NOT VERIFIED[^]*FAIL {2}container[^]*the whole file: /);
  const json = await runCli(['verify', path, '--json']);
  t.is(json.exitCode, 1);
  const result = JSON.parse(json.stdout) as Verification;
  t.false(result.ok);
  t.deepEqual(
    result.checks.filter(({ ok }) => !ok).map(({ check }) => check),
    ['container'],
  );
});

test('--allowed-signers names who signed, and refuses who may not', async (t) => {
  const folder = await temporaryFolder(t);
  const signer = oneTimeSigner();
  const { path } = await writeSample(folder, { signer });
  const allowed = join(folder, 'allowed');
  await writeFile(
    allowed,
    `ca cert-authority ${publicKeyLine(signer.publicKey)}\nalice ${publicKeyLine(signer.publicKey)}\n`,
  );
  const known = await runCli(['verify', path, '--allowed-signers', allowed]);
  t.is(known.exitCode, 0);
  t.regex(known.stdout, /^ok {4}signer {8}alice$/m);
  t.regex(known.stdout, /^note {6}allowed signers line 1: cert-authority is not supported/m);
  await writeFile(allowed, `alice ${publicKeyLine(oneTimeSigner().publicKey)}\n`);
  const unknown = await runCli(['verify', path, '--allowed-signers', allowed]);
  t.is(unknown.exitCode, 1);
  t.regex(unknown.stdout, /FAIL {2}signer[^]*not in the allowed signers file/);
  await writeFile(allowed, 'alice no-key\n');
  t.is((await runCli(['verify', path, '--allowed-signers', allowed])).exitCode, 65);
});

test('what is no snapshot: exit 65; no file: exit 74', async (t) => {
  const folder = await temporaryFolder(t);
  await writeFile(join(folder, 'text'), 'text');
  t.is((await runCli(['verify', join(folder, 'text')])).exitCode, 65);
  t.is((await runCli(['verify', join(folder, 'none'), '--json'])).exitCode, 74);
});
