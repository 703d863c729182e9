import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { reasonAgainstCommands, reasonAgainstLiveTests, testUnless } from '../left-out.js';
import { freePort, makeCertificate, openStage, type Stage, TLSNAP, until } from './live.js';
import { openNamespace } from './network.js';
import { compileActor, outputOf } from './programs.js';

// Connections that are older than the window, in a network namespace of the test's own. What became of them is the word of
// the clients that held them.

const reason = reasonAgainstLiveTests() ?? reasonAgainstCommands('openssl', 'python3', 'ip', 'setpriv');

for (const [form, listen, host] of [
  ['IPv4', '127.0.0.1', '127.0.0.1'],
  ['IPv6', '[::1]', '::1'],
  ['v4-mapped', '127.0.0.1', '::ffff:127.0.0.1'],
] as const) {
  testUnless(reason, `--rehandshake PID makes an old ${form} connection shake hands in the window`, async (t) => {
    const stage = await openStage(t);
    const { within } = await openNamespace(t);
    const port = await serve(stage, within, listen);
    const meant = connect(stage, within, host, port, 'meant');
    const other = connect(stage, within, host, await serve(stage, within, listen), 'other');
    await until('both are connected', 10_000, () => [meant, other].every(({ said }) => said().includes('connected')));
    const captured = await stage.capture(
      () => until('the connection is lost and made anew', 10_000, () => /connected[^]*connected/.test(meant.said())),
      { flags: ['--rehandshake', String(meant.pid), '--yes'] },
    );
    const [, first, error] = /^connected (\d+)\nlost (\w+)\nconnected \d+\n$/.exec(meant.said()) ?? [];
    t.is(error, 'ECONNABORTED', meant.said());
    t.regex(other.said(), /^connected \d+\n$/, 'the other one is as it was');
    const own = captured.handshakes.filter(({ kind, role }) => kind === 'client' && role === 'client');
    t.deepEqual(
      own.map(({ process, tls }) => [process?.pid, tls?.serverName]),
      [[meant.pid, 'meant-1']],
    );
    const acts = captured.actions.filter(({ action }) => action.startsWith('socket-'));
    t.deepEqual(
      acts.map(({ action }) => action),
      ['socket-closed'],
    );
    t.true(acts[0]?.subject.includes(`:${first} -> `), acts[0]?.subject);
    t.true(acts[0]?.detail?.includes(`pid ${meant.pid} python3`), acts[0]?.detail ?? '');
    t.true(captured.snapshot.manifest.coverage.notes.some((note) => note.startsWith('1 connections were closed by')));
  });
}

testUnless(reason, '--rehandshake DST chooses by remote address and port', async (t) => {
  const stage = await openStage(t);
  const { within } = await openNamespace(t);
  const [port, otherPort] = [await serve(stage, within, '127.0.0.1'), await serve(stage, within, '127.0.0.1')];
  const meant = connect(stage, within, '127.0.0.1', port, 'meant');
  const other = connect(stage, within, '127.0.0.1', otherPort, 'other');
  await until('both are connected', 10_000, () => [meant, other].every(({ said }) => said().includes('connected')));
  await stage.capture(() => until('it is made anew', 10_000, () => /connected[^]*connected/.test(meant.said())), {
    flags: ['--rehandshake', `127.0.0.1:${port}`, '--yes'],
  });
  t.regex(meant.said(), /lost ECONNABORTED/);
  t.regex(other.said(), /^connected \d+\n$/);
});

testUnless(reason, 'it needs --yes, a target that is one, and the privilege', async (t) => {
  const stage = await openStage(t);
  const output = join(stage.directory, 'x.tlsnap.tar.gz');
  const args = [TLSNAP, 'capture', '--cgroup', stage.cgroup, '--window', '1s', '--output', output];
  for (const flags of [
    ['--rehandshake', '1'],
    ['--yes'],
    ...['0', 'host', '1.2.3', '1.2.3.4:0', '1.2.3.4:70000', '[::1', '::1:443:x'].map((text) => [
      '--rehandshake',
      text,
      '--yes',
    ]),
  ]) {
    const { exitCode, stderr } = await execa(process.execPath, [...args, ...flags], { reject: false });
    t.is(exitCode, 2, `${flags.join(' ')}: ${stderr}`);
  }
  for (const capability of ['net_admin', 'sys_admin']) {
    const poor = [`--bounding-set=-${capability}`, `--inh-caps=-${capability}`, '--', process.execPath];
    const { exitCode, stderr } = await execa('setpriv', [...poor, ...args, '--rehandshake', '1.2.3.4', '--yes'], {
      reject: false,
    });
    t.is(exitCode, 77, `${capability}: ${stderr}`);
    t.regex(stderr, /may not close connections/);
  }
});

testUnless(
  reason ?? reasonAgainstCommands('cc'),
  'where the kernel closes no connections it exits 69 before the window, and says what to do instead',
  async (t) => {
    const stage = await openStage(t);
    const without = await compileActor(stage.directory, 'without-sock-diag');
    const output = join(stage.directory, 'x.tlsnap.tar.gz');
    const args = [TLSNAP, 'capture', '--cgroup', stage.cgroup, '--window', '1s', '--output', output];
    const flags = ['--rehandshake', '1.2.3.4', '--yes', '--json'];
    const { exitCode, stdout } = await execa(without, [process.execPath, ...args, ...flags], { reject: false });
    t.is(exitCode, 69, stdout);
    const { error } = JSON.parse(stdout) as { error: { code: number; message: string; suggestions: string[] } };
    t.is(error.code, 69);
    t.is(error.message, '--rehandshake: this kernel closes no connections (EPROTONOSUPPORT)');
    t.regex(error.suggestions.join(' '), /CONFIG_INET_DIAG_DESTROY/);
    t.deepEqual(await readdir(stage.directory), ['without-sock-diag']);
  },
);

async function serve(stage: Stage, within: readonly string[], listen: string): Promise<number> {
  const { keyFile, certFile } = await makeCertificate(stage.directory);
  const port = await freePort();
  const args = ['s_server', '-accept', `${listen}:${port}`, '-cert', certFile, '-key', keyFile, '-quiet'];
  await stage.serve(port, 'openssl', args, { within });
  return port;
}

function connect(stage: Stage, within: readonly string[], host: string, port: number, name: string) {
  const script = join(import.meta.dirname, 'actors/reconnecting_tls.py');
  const actor = stage.start('python3', [script, host, String(port), name], { within });
  return { pid: actor.pid, said: outputOf(actor) };
}
