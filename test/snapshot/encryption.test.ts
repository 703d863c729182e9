import { randomBytes } from 'node:crypto';
import { readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { Encrypter } from 'age-encryption';
import { execa } from 'execa';
import { TlsnapError } from '../../src/errors.js';
import { readIdentities, snapshotSource } from '../../src/snapshot/decryption.js';
import { checkRecipients } from '../../src/snapshot/encryption.js';
import { openSnapshot } from '../../src/snapshot/reader.js';
import { verifySnapshot } from '../../src/snapshot/verify.js';
import { reasonAgainstCommands, testUnless } from '../left-out.js';
import { runCli } from '../cli/run-cli.js';
import { temporaryFolder, writeSample } from './sample.js';

// The judge of both directions is the age of the distribution: it opens what we wrote, and we open what it wrote.

const reason = reasonAgainstCommands('age', 'age-keygen', 'sha256sum');

testUnless(
  reason,
  'age opens what is encrypted to each of several recipients, and finds a whole snapshot',
  async (t) => {
    const folder = await temporaryFolder(t);
    const [one, other] = [await ageKey(folder, 'one'), await ageKey(folder, 'other')];
    const written = await writeSample(folder, { handshakes: 2000, encryptTo: [one.recipient, other.recipient] });
    t.is(written.path, join(folder, 'sample.tlsnap.tar.gz.age'));
    const { mode, size } = await stat(written.path);
    t.is(mode & 0o777, 0o600);
    t.is(size, written.size);
    for (const { file } of [one, other]) {
      const plain = `${file}.tlsnap.tar.gz`;
      await execa('age', ['--decrypt', '--identity', file, '--output', plain, written.path]);
      const verification = await verifySnapshot(plain);
      t.true(verification.ok);
      t.is(verification.manifestSha256, written.manifestSha256);
      const direct = await verifySnapshot(written.path, { identities: await readIdentities([file], nobody) });
      t.true(direct.ok);
      t.is(direct.handshakes, 2000);
    }
  },
);

testUnless(reason, 'what age encrypted is read as the snapshot in the clear is', async (t) => {
  const folder = await temporaryFolder(t);
  const key = await ageKey(folder, 'key');
  const { path } = await writeSample(folder, { handshakes: 50 });
  const encrypted = `${path}.age`;
  await execa('age', ['--encrypt', '--recipient', key.recipient, '--output', encrypted, path]);
  const snapshot = await openSnapshot(encrypted, await readIdentities([key.file], nobody));
  const clear = await openSnapshot(path);
  t.is(snapshot.manifestSha256, clear.manifestSha256);
  for (const member of ['handshakes', 'processes'] as const) {
    t.deepEqual(await rowsOf(snapshot.rows(member)), await rowsOf(clear.rows(member)));
  }
});

testUnless(reason, 'every reading command takes --identity, and names it where it is missing', async (t) => {
  const folder = await temporaryFolder(t);
  const key = await ageKey(folder, 'key');
  const { path } = await writeSample(folder, { encryptTo: [key.recipient] });
  const feed = join(folder, 'feed.txt');
  await writeFile(feed, `${'0'.repeat(32)}\n`);
  for (const [command, ...args] of [
    ['verify', path],
    ['replay', path],
    ['match', path, '--feed', feed],
    ['diff', path, path],
    ['report', path, '--format', 'csv'],
  ] as const) {
    const opened = await runCli([command, ...args, '--identity', key.file]);
    t.is(opened.exitCode, 0, `${command}: ${opened.stderr}`);
    const closed = await runCli([command, ...args]);
    t.is(closed.exitCode, 65, command);
    t.regex(closed.stderr, /is encrypted with[^]*--identity FILE/);
  }
});

testUnless(reason, 'import --encrypt-to writes nothing in the clear', async (t) => {
  const folder = await temporaryFolder(t);
  const key = await ageKey(folder, 'key');
  const output = join(folder, 'imported.tlsnap.tar.gz');
  const pcap = join(import.meta.dirname, '../../fixtures/pcap/proxies.pcap');
  const { exitCode, stderr } = await runCli(['import', pcap, '--output', output, '--encrypt-to', key.recipient]);
  t.is(exitCode, 0, stderr);
  await t.throwsAsync(stat(output), { code: 'ENOENT' });
  const { stdout } = await runCli(['verify', `${output}.age`, '--identity', key.file]);
  t.regex(stdout, /: verified\n/);
});

testUnless(
  reason,
  "another's key, a damaged file and a cut one are refused, never read in part as if whole",
  async (t) => {
    const folder = await temporaryFolder(t);
    const [mine, others] = [await ageKey(folder, 'mine'), await ageKey(folder, 'others')];
    // Executables do not shrink: some chunks of 64 KiB.
    const content = join(folder, 'program');
    await writeFile(content, randomBytes(200_000));
    const { stdout: sum } = await execa('sha256sum', [content]);
    const executable = { sha256: sum.slice(0, 64), path: content };
    const { path } = await writeSample(folder, { executable, encryptTo: [mine.recipient] });
    const identities = await readIdentities([mine.file], nobody);
    await refused(
      t,
      async () => openSnapshot(path, await readIdentities([others.file], nobody)),
      /encrypted to others/,
    );

    const whole = await readFile(path);
    const broken = join(folder, 'broken.tlsnap.tar.gz.age');
    for (let round = 0; round < 60; round++) {
      const at = Math.floor((round / 60) * whole.length);
      const bytes = Buffer.from(whole);
      bytes[at] = (bytes[at] ?? 0) ^ (1 << (round % 8));
      await writeFile(broken, bytes);
      t.is(await outcomeOf(() => verifySnapshot(broken, { identities })), 'noticed', `bit of byte ${at}`);
    }
    for (let round = 0; round < 40; round++) {
      await writeFile(broken, whole);
      await truncate(broken, Math.floor((round / 40) * whole.length));
      t.is(await outcomeOf(() => verifySnapshot(broken, { identities })), 'noticed', `cut in ${round} of 40`);
    }
    await writeFile(broken, Buffer.concat([whole, Buffer.from('more')]));
    t.is(await outcomeOf(() => verifySnapshot(broken, { identities })), 'noticed', 'bytes behind its end');
  },
);

test('a header without an end is refused within its bound', async (t) => {
  const path = join(await temporaryFolder(t), 'endless.age');
  await writeFile(path, `age-encryption.org/v1\n${'-> X25519 a\nb\n'.repeat(1_000_000)}`);
  const identities = { keys: [SECRET] };
  await refused(t, () => snapshotSource(path, identities), /age header has no end/);
});

test('what is no recipient is refused before anything is done, and a secret key is not repeated', async (t) => {
  for (const text of ['', 'age1', 'ssh-ed25519 AAAA', 'age1qqqq', SECRET]) {
    const error = await t.throwsAsync<TlsnapError>(checkRecipients([text]), { instanceOf: TlsnapError });
    t.is(error.kind, 'usage');
    t.false(`${error.message} ${error.suggestions.join(' ')}`.includes(SECRET));
  }
});

test('what is no identity file is refused, with the number of the key', async (t) => {
  const file = join(await temporaryFolder(t), 'key.txt');
  for (const [text, message] of [
    ['', /holds no identity/],
    ['# only a comment\n', /holds no identity/],
    [`${SECRET}\nAGE-SECRET-KEY-1QQQ\n`, /key 2: not an age secret key/],
    ['-----BEGIN OPENSSH PRIVATE KEY-----\n', /key 1: not an age secret key/],
  ] as const) {
    await writeFile(file, text);
    await refused(t, () => readIdentities([file], nobody), message);
  }
});

test('an identity file with a passphrase is opened by it, and by nothing else', async (t) => {
  const file = join(await temporaryFolder(t), 'key.age');
  const encrypter = new Encrypter();
  encrypter.setPassphrase('correct horse');
  encrypter.setScryptWorkFactor(8);
  await writeFile(file, await encrypter.encrypt(`# created\n${SECRET}\n`));
  t.deepEqual(await readIdentities([file], () => Promise.resolve('correct horse')), { keys: [SECRET] });
  await refused(t, () => readIdentities([file], () => Promise.resolve('wrong')), /passphrase does not open it/);
  const error = await t.throwsAsync<TlsnapError>(readIdentities([file], nobody), { instanceOf: TlsnapError });
  t.is(error.kind, 'usage');
});

async function ageKey(folder: string, name: string): Promise<{ file: string; recipient: string }> {
  const file = join(folder, `${name}.txt`);
  await execa('age-keygen', ['--output', file]);
  const { stdout } = await execa('age-keygen', ['-y', file]);
  return { file, recipient: stdout.trim() };
}

async function outcomeOf(verify: () => Promise<{ ok: boolean }>): Promise<'noticed' | 'passed'> {
  try {
    return (await verify()).ok ? 'passed' : 'noticed';
  } catch (error) {
    if (error instanceof TlsnapError && error.kind === 'input') return 'noticed';
    throw error;
  }
}

async function refused(t: ExecutionContext, act: () => Promise<unknown>, message: RegExp): Promise<void> {
  const error = await t.throwsAsync<TlsnapError>(act, { instanceOf: TlsnapError, message });
  t.is(error.kind, 'input');
}

async function rowsOf<Row>(batches: AsyncIterable<Row[]>): Promise<Row[]> {
  const rows: Row[] = [];
  for await (const batch of batches) rows.push(...batch);
  return rows;
}

const nobody = () => Promise.resolve(undefined);
/** A key of age-keygen that opens nothing. */
const SECRET = 'AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX';
