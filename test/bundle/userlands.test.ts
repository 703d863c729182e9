import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { ExecutionContext } from 'ava';
import { execa } from 'execa';
import { bundleFolder } from '../../scripts/bundle/folder.js';
import { userlandFolder, USERLANDS } from '../../scripts/userlands/debian.js';
import type { Diagnosis } from '../../src/doctor/check.js';
import { reasonAgainstBundleTests, reasonAgainstCommands, reasonAgainstLiveTests, testUnless } from '../left-out.js';

// The bundle on systems whose C library is older and newer than its own (ldd --version: 2.31 and 2.41), and with no
// more privileges than it needs.

const PROJECT = resolve(import.meta.dirname, '../..');
const CACHE = join(PROJECT, '.cache/userlands');
const reason =
  reasonAgainstLiveTests() ?? reasonAgainstCommands('unshare', 'ip', 'setpriv') ?? reasonAgainstBundleTests();

for (const name of USERLANDS) {
  const root = userlandFolder(name, CACHE);
  const missing = existsSync(root) ? undefined : 'may be missing, and could not be fetched';
  testUnless(reason ?? missing, `in ${name} the bundle sees a handshake, captures and verifies`, async (t) => {
    const output = await temporaryDirectory(t);
    const inside = async (...command: string[]) => {
      const script = [join(import.meta.dirname, 'userland.sh'), root, await bundleFolder(PROJECT), output];
      return execa('unshare', ['--mount', '--net', 'sh', ...script, '/usb stick/tlsnap', ...command], {
        reject: false,
      });
    };
    const doctor = await inside('doctor', '--json');
    const { checks } = JSON.parse(doctor.stdout) as Diagnosis;
    t.is(checks.find((check) => check.name === 'handshake')?.found, 'seen, with its process and JA3', doctor.stdout);

    // No network namespace has the inode 1: a whole capture, and nothing of anybody in it.
    const capture = await inside('capture', '--window', '1s', '--netns', '1', '--output', '/mnt/x.tlsnap.tar.gz');
    t.is(capture.exitCode, 0, capture.stderr);
    const verify = await inside('verify', '/mnt/x.tlsnap.tar.gz');
    t.is(verify.exitCode, 0, verify.stdout);
  });
}

testUnless(reason, 'the bundle needs three capabilities and neither root, HOME nor a name', async (t) => {
  const tlsnap = join(await bundleFolder(PROJECT), 'tlsnap');
  const capabilities = '+bpf,+net_admin,+perfmon';
  const user = ['--reuid=54321', '--regid=54321', '--clear-groups'];
  const privileges = [`--inh-caps=${capabilities}`, `--ambient-caps=${capabilities}`];
  const { stdout } = await execa('setpriv', [...user, ...privileges, 'env', '-i', tlsnap, 'doctor', '--json'], {
    reject: false,
  });
  const { capture, checks } = JSON.parse(stdout) as Diagnosis;
  t.is(capture, 'limited');
  t.is(checks.find(({ name }) => name === 'programs')?.state, 'ok');
});

async function temporaryDirectory(t: ExecutionContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'tlsnap-userland-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  return directory;
}
