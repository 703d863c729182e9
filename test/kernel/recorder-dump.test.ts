import { unlinkSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { reasonAgainstCommands, reasonAgainstLiveTests, testUnless } from '../left-out.js';
import { readCaptured, openStage } from './live.js';
import { startTlsServer } from './programs.js';
import { fails, pinsFor, start, tlsnap } from './recorder-commands.js';

// What a dump can do besides: look into a feed, encrypt, and refuse the pins of another build.

const reason = reasonAgainstLiveTests() ?? reasonAgainstCommands('openssl', 'bpftool', 'age', 'age-keygen');

testUnless(reason, 'a dump with a feed names its hits and ends with 1, and is encrypted on request', async (t) => {
  const stage = await openStage(t);
  const { port } = await startTlsServer(stage);
  const pins = await pinsFor(t);
  await start(stage, pins);
  await stage.run('openssl', ['s_client', '-connect', `127.0.0.1:${port}`, '-servername', 'c2.example']);
  const feed = join(stage.directory, 'feed.intel');
  await writeFile(feed, '#fields\tindicator\tindicator_type\tmeta.source\nc2.example\tIntel::DOMAIN\tby hand\n');
  const key = join(stage.directory, 'key.txt');
  await execa('age-keygen', ['--output', key]);
  const { stdout: recipient } = await execa('age-keygen', ['-y', key]);
  const output = join(stage.directory, 'dump.tlsnap.tar.gz');

  const done = await tlsnap(
    'record',
    'dump',
    '--pins',
    pins,
    '--output',
    output,
    '--feed',
    feed,
    '--encrypt-to',
    recipient,
    '--json',
  );
  t.is(done.exitCode, 1, done.stderr);
  const { hits, snapshot } = JSON.parse(done.stdout) as { hits: { indicator: { value: string } }[]; snapshot: string };
  t.true(hits.length > 0);
  t.true(hits.every(({ indicator }) => indicator.value === 'c2.example'));
  t.is(snapshot, `${output}.age`);
  await execa('age', ['--decrypt', '--identity', key, '--output', output, snapshot]);
  t.is((await readCaptured(output)).handshakes.length, 4);
  t.is((await tlsnap('record', 'stop', '--pins', pins)).exitCode, 0);
});

testUnless(reason, 'the pins of another version are named by it, can be removed, and are not misread', async (t) => {
  const stage = await openStage(t);
  const pins = await pinsFor(t);
  await start(stage, pins);
  const map = join(pins, 'map_facts');
  const { stdout } = await execa('bpftool', ['--json', 'map', 'dump', 'pinned', map]);
  const [{ value }] = JSON.parse(stdout) as [{ value: string[] }];
  const facts = Buffer.from(value.map(Number)).toString('latin1');
  const { toolVersion, build } = JSON.parse(facts.replace(/\0+$/, '')) as { toolVersion: string; build: string };
  const other = facts.replace(toolVersion, toolVersion.replace(/\d/g, '9')).replace(build, 'f'.repeat(build.length));
  t.not(other, facts);
  // The recorder's own is frozen: nobody can write to it.
  unlinkSync(map);
  const shape = ['type', 'array', 'key', '4', 'value', String(value.length), 'entries', '1', 'name', 'facts'];
  await execa('bpftool', ['map', 'create', map, ...shape]);
  const bytes = [...Buffer.from(other, 'latin1')].map(String);
  await execa('bpftool', ['map', 'update', 'pinned', map, 'key', '0', '0', '0', '0', 'value', ...bytes]);

  for (const command of ['dump', 'status'])
    await fails(
      t,
      65,
      /was pinned by another build, tlsnap 9\.9\.9, and this one cannot read it/,
      command,
      '--pins',
      pins,
    );
  await fails(t, 2, /a recorder runs already/, 'start', '--pins', pins);
  t.is((await tlsnap('record', 'stop', '--pins', pins)).exitCode, 0);
});
