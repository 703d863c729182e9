import { reasonAgainstCommands, reasonAgainstLiveTests, testUnless } from '../left-out.js';
import { openStage } from './live.js';
import { compileActor, startTlsServer, writeHello } from './programs.js';

const reason = reasonAgainstLiveTests() ?? reasonAgainstCommands('cc');

testUnless(reason, '10,000 forks beside a hello lose nothing, and none of them is taken for its sender', async (t) => {
  const stage = await openStage(t);
  const client = await compileActor(stage.directory, 'hello-client');
  const { file } = await writeHello(stage.directory);
  const { port } = await startTlsServer(stage);
  // The shell says its pid, forks, and becomes the client: the pid is the sender's.
  const script = 'echo $$; i=0; while [ $i -lt 10000 ]; do (:); i=$((i+1)); done; exec "$0" "$@"';
  let pid = 0;
  const { handshakes, processes, snapshot } = await stage.capture(async () => {
    const forking = await stage
      .run('sh', ['-c', script, client, String(port), file, '200'], { timeout: 80_000 })
      .catch((error: unknown) => error as { stdout: string });
    pid = Number(forking.stdout);
  });
  const own = handshakes.filter(({ kind, role }) => kind === 'client' && role === 'client');
  t.deepEqual(
    own.map(({ process }) => [process?.pid, process?.exe]),
    [[pid, client]],
  );
  t.deepEqual(snapshot.manifest.coverage.lossesByKind, {});
  t.true(processes.length < 10, 'who makes no connection is not read');
});
