import { createReadStream, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { execa } from 'execa';
import { reasonAgainstCommands, reasonAgainstLiveTests, testUnless } from '../left-out.js';
import { assertVerifies } from './judge.js';
import { openStage } from './live.js';
import { compileActor, startTlsServer, writeHello } from './programs.js';

// What a capture leaves: a snapshot that tools other than ours accept, and nothing in the kernel.

const reason =
  reasonAgainstLiveTests() ?? reasonAgainstCommands('cc', 'openssl', 'ssh-keygen', 'sha256sum', 'tar', 'bpftool');

testUnless(
  reason,
  'ssh-keygen accepts the signature, sha256sum the members, and every act is written down',
  async (t) => {
    const stage = await openStage(t);
    const client = await compileActor(stage.directory, 'hello-client');
    const hello = await writeHello(stage.directory);
    const { port, server } = await startTlsServer(stage);
    const captured = await stage.capture(
      async () => {
        await stage.run(client, [String(port), hello.file, '1200']).catch(() => undefined);
      },
      { flags: ['--case', '2026-117', '--examiner', 'R. Esponder'] },
    );
    await assertVerifies(t, captured.path);
    const { manifest } = captured.snapshot;
    t.is(manifest.case.case, '2026-117');
    t.is(manifest.case.examiner, 'R. Esponder');
    t.is(manifest.window.endedBy, 'signal');

    const folder = join(stage.directory, 'extracted');
    mkdirSync(folder);
    await execa('tar', [
      '--extract',
      '--gzip',
      '--file',
      captured.path,
      '--directory',
      folder,
      '--strip-components',
      '1',
    ]);
    const allowed = join(stage.directory, 'allowed');
    writeFileSync(allowed, `responder ${readFileSync(join(folder, 'signer.pub'), 'utf8')}`);
    const { stdout: verdict } = await execa(
      'ssh-keygen',
      ['-Y', 'verify', '-n', 'tlsnap', '-I', 'responder', '-f', allowed, '-s', join(folder, 'manifest.json.sig')],
      { input: createReadStream(join(folder, 'manifest.json')) },
    );
    t.regex(verdict, /^Good "tlsnap" signature for responder/);
    t.true(verdict.includes(manifest.signer.fingerprint));

    const sums = manifest.members.map(({ path, sha256 }) => `${sha256}  ${path}\n`).join('');
    const { stdout: checked } = await execa('sha256sum', ['--check', '--strict'], { cwd: folder, input: sums });
    t.is(checked.match(/: OK$/gm)?.length, manifest.members.length);
    const { stdout: digest } = await execa('sha256sum', ['manifest.json'], { cwd: folder });
    t.is(digest.slice(0, 64), captured.snapshot.manifestSha256);
    t.true(captured.stderr.includes(digest.slice(0, 64)), 'the digest was not said at the end');

    const acts = (action: string) => captured.actions.filter((row) => row.action === action);
    t.deepEqual(
      acts('program-loaded')
        .map(({ subject }) => subject)
        .sort(),
      [...manifest.features].sort(),
    );
    t.true(acts('program-loaded').every(({ detail }) => /^id \d+ tag [0-9a-f]{16}$/.test(detail ?? '')));
    // The names of programs.h and its like, in which clang's own maps of constants and variables are not.
    const maps = acts('map-created').map(({ subject }) => subject);
    for (const name of ['connections', 'ring', 'counters', 'fingerprints', 'scratch'])
      t.true(maps.includes(name), name);
    t.is(acts('link-attached').length, 1);
    t.is(acts('link-detached').length, 1);
    t.is(basename(acts('link-attached')[0]?.subject ?? ''), basename(stage.cgroup));
    t.deepEqual(
      acts('file-written').map(({ subject }) => subject),
      [`${captured.path}.spool`, captured.path],
    );
    t.deepEqual(
      acts('file-removed').map(({ subject }) => subject),
      [`${captured.path}.spool`],
    );
    t.deepEqual(
      acts('process-read').map(({ subject }) => subject),
      [...new Set(acts('process-read').map(({ subject }) => subject))],
      'read once each',
    );
    t.true(acts('process-read').some(({ subject }) => subject === String(server.pid)));
    t.is(acts('sockets-read').length, 2);
    t.is(acts('host-read').length, 1);
    const times = captured.actions.map(({ time }) => time);
    t.deepEqual(times, [...times].sort());
  },
);

testUnless(
  reason,
  'while it watches, bpftool sees the programs; after SIGINT and after SIGKILL it sees none',
  async (t) => {
    const stage = await openStage(t);
    for (const signal of ['SIGINT', 'SIGKILL'] as const) {
      const capture = await stage.openCapture();
      const during = await programsAt(stage.cgroup);
      t.deepEqual(during, ['tlsnap_egress_direct', 'tlsnap_ingress_direct', 'tlsnap_sockops']);
      capture.process.kill(signal);
      await capture.process;
      t.deepEqual(await programsAt(stage.cgroup), []);
    }
  },
);

/** Names of the programs on the cgroup's hooks, by bpftool. */
async function programsAt(cgroup: string): Promise<string[]> {
  const { stdout } = await execa('bpftool', ['--json', 'cgroup', 'show', cgroup]);
  return (JSON.parse(stdout || '[]') as { name: string }[]).map(({ name }) => name).sort();
}
