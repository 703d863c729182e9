import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { execa } from 'execa';
import { TlsnapError } from '../../src/errors.js';
import { createOutput } from '../../src/snapshot/output.js';
import { oneTimeSigner } from '../../src/snapshot/signer.js';
import { verifySnapshot } from '../../src/snapshot/verify.js';
import { SnapshotWriter } from '../../src/snapshot/writer.js';
import { testUnless } from '../left-out.js';
import { factsOf, handshakeAt, HOST, temporaryFolder, writeSample } from './sample.js';

const reasonAgainstMounts =
  process.platform === 'linux' && process.getuid?.() === 0 ? undefined : 'only root on Linux can mount a tmpfs';

test('tar lists the members in the order of the contract, with user 0 and mode 0400', async (t) => {
  const folder = await temporaryFolder(t);
  const sha256 = createHash('sha256').update('binary').digest('hex');
  await writeFile(join(folder, 'binary'), 'binary');
  const { path } = await writeSample(folder, { executable: { sha256, path: join(folder, 'binary') } });

  const { stdout } = await execa('tar', ['--utc', '--numeric-owner', '-tvzf', path]);

  const lines = stdout.split('\n').map((line) => line.split(/\s+/));
  const top = 'web1-20261122T092008Z.tlsnap';
  t.deepEqual(
    lines.map((fields) => fields[5]),
    [
      `${top}/manifest.json`,
      `${top}/manifest.json.sig`,
      `${top}/signer.pub`,
      `${top}/handshakes.ndjson`,
      `${top}/fingerprints.ndjson`,
      `${top}/processes.ndjson`,
      `${top}/sockets.ndjson`,
      `${top}/host.json`,
      `${top}/actions.ndjson`,
      `${top}/executables/${sha256}`,
    ],
  );
  for (const [mode, owner, , date, time] of lines) {
    t.deepEqual([mode, owner, date, time], ['-r--------', '0/0', '2026-11-22', '09:21']);
  }
});

test('sha256sum agrees with every digest of the manifest', async (t) => {
  const folder = await temporaryFolder(t);
  const { path, manifest, manifestSha256 } = await writeSample(folder);
  await execa('tar', ['-xzf', path, '--strip-components=1', '-C', folder]);
  const list = manifest.members.map((member) => `${member.sha256}  ${member.path}`);
  const input = [...list, `${manifestSha256}  manifest.json`, ''].join('\n');

  const { stdout } = await execa('sha256sum', ['--check', '--strict', '-'], { cwd: folder, input });

  t.is(stdout.split('\n').filter((line) => line.endsWith(': OK')).length, 7);
});

test('rows that come out of order are written in time order and numbered anew, equal times as they came', async (t) => {
  const folder = await temporaryFolder(t);
  const output = join(folder, 'out.tlsnap.tar.gz');
  const writer = SnapshotWriter.create({ output, staging: await mkdtemp(join(folder, 'staging-')) });
  const offsets = [5n, 3n, 999_999_999n, 3n, 0n];
  offsets.forEach((offset, arrival) => {
    writer.handshakes.add(10n ** 18n + offset, { ...handshakeAt(offset), error: String(arrival) });
  });
  writer.host({} as never);
  await writer.finish(factsOf(5), oneTimeSigner());

  const { stdout } = await execa('tar', ['-xzOf', output, '--wildcards', '*/handshakes.ndjson']);

  const rows = stdout.split('\n').map((line) => JSON.parse(line) as { seq: number; time: string; error: string });
  t.deepEqual(
    rows.map(({ seq, error }) => [seq, error]),
    [
      [0, '4'],
      [1, '1'],
      [2, '3'],
      [3, '0'],
      [4, '2'],
    ],
  );
});

test('the same content and key give the same bytes', async (t) => {
  const [first, second] = [await temporaryFolder(t), await temporaryFolder(t)];
  const signer = oneTimeSigner();
  const [a, b] = [await writeSample(first, { signer }), await writeSample(second, { signer })];
  t.deepEqual(await readFile(a.path), await readFile(b.path));
});

test('the file is private, its staging is empty, and nothing else is left beside it', async (t) => {
  const folder = await temporaryFolder(t);
  const { path, size } = await writeSample(folder);
  const stats = await stat(path);
  t.is(stats.mode & 0o777, 0o600);
  t.is(stats.size, size);
  const names = await readdir(folder);
  t.deepEqual(names.map((name) => name.replace(/-.*/, '')).sort(), ['sample.tlsnap.tar.gz', 'staging']);
  t.deepEqual(await readdir(join(folder, names.find((name) => name.startsWith('staging')) ?? '')), []);
});

test('an existing output is refused at once, and left as it is', async (t) => {
  const folder = await temporaryFolder(t);
  const output = join(folder, 'there');
  await writeFile(output, 'mine');
  const error = await t.throwsAsync(writeSample(folder, { output }), { instanceOf: TlsnapError });
  t.is(error.kind, 'io');
  t.is(await readFile(output, 'utf8'), 'mine');
});

test('an output that appears while the snapshot is written is not overwritten', async (t) => {
  const folder = await temporaryFolder(t);
  const path = join(folder, 'raced');
  const output = createOutput(path);
  const stream = output.open();
  await new Promise<void>((resolve) => stream.end('ours', resolve));
  await writeFile(path, 'theirs');
  t.throws(() => output.commit(), { message: /exists already/ });
  t.is(await readFile(path, 'utf8'), 'theirs');
});

testUnless(
  reasonAgainstMounts,
  'a full disk is an io error that keeps what was staged, and leaves nothing under the name',
  async (t) => {
    const folder = await temporaryFolder(t);
    const small = await mkdtemp(join(folder, 'small-'));
    const staging = await mkdtemp(join(folder, 'staging-'));
    await execa('mount', ['-t', 'tmpfs', '-o', 'size=16k', 'tlsnap-test', small]);
    t.teardown(() => execa('umount', [small]));
    const writer = SnapshotWriter.create({ output: join(small, 'out.tlsnap.tar.gz'), staging });
    const noise = Array.from({ length: 4096 }, (_, at) => createHash('sha256').update(String(at)).digest('hex'));
    writer.handshakes.add(1n, { ...handshakeAt(0n), error: noise.join('') });
    writer.host({} as never);

    const error = await t.throwsAsync(writer.finish(factsOf(1), oneTimeSigner()), { instanceOf: TlsnapError });

    t.is(error.kind, 'io');
    t.regex(error.message, /ENOSPC/);
    t.deepEqual(await readdir(small), []);
    t.true((await readdir(staging)).includes('handshakes.ndjson'));
  },
);

testUnless(
  reasonAgainstMounts,
  'a full disk under the staging folder is an io error at the row that hits it',
  async (t) => {
    const folder = await temporaryFolder(t);
    const small = await mkdtemp(join(folder, 'small-'));
    await execa('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tlsnap-test', small]);
    t.teardown(() => execa('umount', [small]));
    const writer = SnapshotWriter.create({ output: join(folder, 'out.tlsnap.tar.gz'), staging: small });
    t.teardown(() => writer.close());
    const error = t.throws(
      () => {
        for (let at = 0n; at < 10_000n; at += 1n) writer.handshakes.add(at, handshakeAt(at));
      },
      { instanceOf: TlsnapError },
    );
    t.regex(error.message, /handshakes\.ndjson: no space left on the device/);
  },
);

test('an executable that is not the one that was seen is refused', async (t) => {
  const folder = await temporaryFolder(t);
  await writeFile(join(folder, 'binary'), 'replaced');
  const executable = { sha256: '0'.repeat(64), path: join(folder, 'binary') };
  await t.throwsAsync(writeSample(folder, { executable }), { message: /has SHA-256 .* now/ });
});

test('to stdout the manifest, its signature and the key come last', async (t) => {
  const folder = await temporaryFolder(t);
  const script = `
    const { writeSample } = await import(${JSON.stringify(join(import.meta.dirname, 'sample.ts'))});
    await writeSample(${JSON.stringify(folder)}, { output: '-' });`;
  const { stdout } = await execa(process.execPath, ['--import=tsx', '--input-type=module', '--eval', script], {
    encoding: 'buffer',
  });
  const listed = await execa('tar', ['-tzf', '-'], { input: stdout });
  t.deepEqual(
    listed.stdout.split('\n').map((path) => path.split('/')[1]),
    [
      'handshakes.ndjson',
      'fingerprints.ndjson',
      'processes.ndjson',
      'sockets.ndjson',
      'host.json',
      'actions.ndjson',
      'manifest.json',
      'manifest.json.sig',
      'signer.pub',
    ],
  );
});

test('a window that ends after 2038, as a damaged time of a capture can, stands in the tar as the last time that fits', async (t) => {
  const folder = await temporaryFolder(t);
  const output = join(folder, 'out.tlsnap.tar.gz');
  const writer = SnapshotWriter.create({ output, staging: await mkdtemp(join(folder, 'staging-')) });
  writer.host(HOST);
  const facts = factsOf(0);
  await writer.finish(
    { ...facts, window: { ...facts.window, end: '2106-02-07T06:28:15.000000000Z' } },
    oneTimeSigner(),
  );

  const { stdout } = await execa('tar', ['--utc', '-tvzf', output, '--wildcards', '*/manifest.json']);
  t.is(stdout.split(/\s+/)[3], '2038-01-19');
  t.deepEqual(
    (await verifySnapshot(output)).checks.flatMap(({ findings }) => findings),
    [],
  );
});
