import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { reasonAgainstCommands, reasonAgainstLiveTests, testUnless } from '../left-out.js';
import { openStage, readCaptured, type Stage, TLSNAP } from './live.js';
import { compileActor, startTlsServer, writeHello } from './programs.js';

// What a capture keeps to itself. The judges are age, which decrypts, and zcat and grep, which find no secret.

const reason = reasonAgainstLiveTests() ?? reasonAgainstCommands('cc', 'age', 'age-keygen', 'tar');

testUnless(reason, '--redact takes secrets out of command lines and environments, and counts them', async (t) => {
  const stage = await openStage(t);
  const work = await secretive(stage);
  const flags = ['--environ', '--redact', '*_TOKEN=*', '--redact', '--password *'];
  const captured = await stage.capture(work, { flags });
  const { stdout: content } = await execa('tar', ['--extract', '--gzip', '--to-stdout', '--file', captured.path]);
  t.false(content.includes(SECRET));
  const [live] = captured.processes.filter(({ environ }) => environ?.some((text) => text.startsWith('API_TOKEN=')));
  t.true(live?.environ?.includes('API_TOKEN=[redacted]'));
  t.true(live?.environ?.includes('HARMLESS=yes'));
  t.deepEqual(live?.cmdline?.slice(-2), ['--password', '[redacted]']);
  // The one that was gone before anybody looked is told by the kernel alone.
  const gone = captured.processes.find(
    ({ sources, cmdline }) => !sources.includes('proc') && cmdline?.at(-1) === '[redacted]',
  );
  const redacted = captured.processes.flatMap(({ cmdline, environ }) => [...(cmdline ?? []), ...(environ ?? [])]);
  const count = redacted.filter((text) => text.includes('[redacted]')).length;
  t.true(count >= (gone ? 3 : 2));
  t.is(captured.snapshot.manifest.coverage.redacted, count);
  t.regex(captured.stderr, new RegExp(`^redacted    ${count} arguments and variables$`, 'm'));
});

testUnless(reason, 'a command line that the kernel cut off in the midst of a secret keeps nothing of it', async (t) => {
  const stage = await openStage(t);
  const client = await compileActor(stage.directory, 'hello-client');
  const hello = await writeHello(stage.directory);
  const { port } = await startTlsServer(stage);
  const args = [String(port), hello.file, '0'];
  const used = [client, ...args, '', 'db://app:hunt'].join(' ').length;
  const padding = 'p'.repeat(KERNEL_CMDLINE - used);
  const work = async () => {
    // One of them at least is gone before it is read from /proc.
    for (let round = 0; round < 12; round++)
      await stage.run(client, [...args, padding, `db://app:${SECRET}@db/prod`]).catch(() => undefined);
  };
  const captured = await stage.capture(work, { flags: ['--redact', 'db://app:*@db/prod'] });
  const cut = captured.processes.filter(({ errors }) => errors.some(({ code }) => code === 'TRUNCATED'));
  t.true(cut.length > 0);
  for (const { cmdline } of cut) t.deepEqual(cmdline, [client, ...args, padding, 'db://app:[redacted]']);
  const { stdout: content } = await execa('tar', ['--extract', '--gzip', '--to-stdout', '--file', captured.path]);
  t.false(content.includes('db://app:h'));
});

testUnless(reason, 'without --environ no environment is kept', async (t) => {
  const stage = await openStage(t);
  const captured = await stage.capture(await secretive(stage));
  const { stdout: content } = await execa('tar', ['--extract', '--gzip', '--to-stdout', '--file', captured.path]);
  t.false(content.includes('HARMLESS'));
  t.is(captured.snapshot.manifest.coverage.redacted, 0);
});

testUnless(reason, 'a killed capture is recovered encrypted to the same key, and without the secrets', async (t) => {
  const stage = await openStage(t);
  const key = join(stage.directory, 'key.txt');
  await execa('age-keygen', ['--output', key]);
  const { stdout: recipient } = await execa('age-keygen', ['-y', key]);
  const work = await secretive(stage);
  const capture = await stage.openCapture({ flags: ['--encrypt-to', recipient, '--redact', '--password *'] });
  await work();
  await sleep(1500);
  capture.process.kill('SIGKILL');
  await capture.process;
  const spool = `${capture.path}.spool`;
  t.is((await stat(spool)).mode & 0o777, 0o700);
  const { stderr } = await execa(process.execPath, [TLSNAP, 'recover', spool], { reject: false });
  t.regex(stderr, /^snapshot {4}\S+\.tlsnap\.tar\.gz\.age$/m);
  const plain = join(stage.directory, 'plain.tlsnap.tar.gz');
  await execa('age', ['--decrypt', '--identity', key, '--output', plain, `${capture.path}.age`]);
  const { snapshot, handshakes } = await readCaptured(plain);
  t.true(handshakes.length > 0);
  t.true(snapshot.manifest.coverage.redacted > 0);
  const { stdout: content } = await execa('tar', ['--extract', '--gzip', '--to-stdout', '--file', plain]);
  t.false(content.includes(SECRET));
  t.false((await readFile(`${capture.path}.age`)).includes('manifest.json'));
});

testUnless(reason, '--max-size and --max-memory end the window early, and say so', async (t) => {
  const stage = await openStage(t);
  for (const [flag, limit] of [
    ['--max-size', '1B'],
    ['--max-memory', '1MiB'],
  ] as const) {
    const capture = await stage.openCapture({ flags: [flag, limit] });
    const { snapshot, exitCode, stderr } = await capture.finished();
    const { window, coverage } = snapshot.manifest;
    t.is(exitCode, 0);
    t.is(window.endedBy, 'limit');
    t.true(Date.parse(window.end) - Date.parse(window.start) < 30_000);
    const said = coverage.limits.find((limit) => limit.startsWith('The window was ended '));
    t.regex(said ?? '', new RegExp(`^The window was ended \\d+ s early: ${flag} was reached`));
    t.regex(stderr, /ended by limit/);
    t.true(stderr.includes(said ?? '?'));
  }
});

/** Work that says a secret in its arguments and its environment: once by a process that stays, once by one that does not. */
async function secretive(stage: Stage): Promise<() => Promise<void>> {
  const client = await compileActor(stage.directory, 'hello-client');
  const hello = await writeHello(stage.directory);
  const { port } = await startTlsServer(stage);
  const env = { API_TOKEN: SECRET, HARMLESS: 'yes' };
  return async () => {
    const run = (milliseconds: string) =>
      stage.run(client, [String(port), hello.file, milliseconds, '--password', SECRET], { env }).catch(() => undefined);
    await run('1500');
    await run('0');
  };
}

const SECRET = 'hunter2-correct-horse';
/** What the kernel's record has room for. */
const KERNEL_CMDLINE = 1024;
