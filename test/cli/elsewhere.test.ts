import { cp, symlink, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { execa } from 'execa';
import { fixture } from '../pcap/tshark.js';
import { temporaryFolder } from '../snapshot/sample.js';

// Offline work on a system that is no Linux, as far as Linux can show it: Node says it is another system, loads no addon,
// knows no user ids where Windows has none, and finds neither /proc nor /sys. The addon and the BPF object are not there.

const PROJECT = resolve(import.meta.dirname, '../..');

for (const platform of ['darwin', 'win32'] as const) {
  test(`on ${platform} every offline command works without addon, user ids, /proc and /sys`, async (t) => {
    const { tlsnap, file } = await elsewhere(t, platform);
    const [key, snapshot, feed] = [file('key'), file('a.tlsnap.tar.gz'), join(PROJECT, 'fixtures/feeds/plain.txt')];
    const offline: readonly (readonly [codes: readonly number[], ...args: string[]])[] = [
      [[0], 'keygen', '--output', key],
      [[0], 'import', fixture('clients.pcapng'), '--output', snapshot, '--key', key],
      [[0], 'verify', snapshot],
      [[0], 'replay', snapshot, '--format', 'ndjson'],
      [[0], 'match', snapshot, '--feed', feed],
      [[0], 'diff', snapshot, snapshot],
      [[1], 'feed', 'check', feed], // a line of it is not understood
      [[0], 'report', snapshot, '--format', 'csv', '--output', file('a.csv')],
      [[0], 'report', snapshot, '--format', 'html', '--output', file('a.html')],
      [[0], 'report', snapshot, '--format', 'pcapng', '--output', file('a.pcapng')],
      [[74], 'recover', file('absent'), '--output', file('b.tlsnap.tar.gz')],
    ];
    for (const [codes, ...args] of offline) {
      const { exitCode, all } = await tlsnap(...args);
      t.true(codes.includes(exitCode ?? -1), `${args.join(' ')} ended with ${String(exitCode)}: ${all}`);
    }
  });

  test(`on ${platform} live commands exit 69 and say that they need Linux`, async (t) => {
    const { tlsnap, file } = await elsewhere(t, platform);
    for (const args of [['capture', '--output', file('x')], ['record', 'start'], ['doctor']]) {
      const { exitCode, all } = await tlsnap(...args);
      t.is(exitCode, 69, all);
      t.regex(all, new RegExp(`Linux, and\\s+this is ${platform}|this is ${platform}`));
    }
  });
}

async function elsewhere(t: ExecutionContext, platform: 'darwin' | 'win32') {
  const folder = await temporaryFolder(t);
  for (const part of ['bin', 'dist', 'schemas', 'package.json', 'oclif.manifest.json'])
    await cp(join(PROJECT, part), join(folder, part), { recursive: true });
  await symlink(join(PROJECT, 'node_modules'), join(folder, 'node_modules'));
  const disguise = join(folder, 'disguise.mjs');
  await writeFile(disguise, DISGUISE);
  const command = ['--import', disguise, join(folder, 'bin/run.js')];
  return {
    file: (name: string) => join(folder, name),
    tlsnap: (...args: string[]) =>
      execa(process.execPath, [...command, ...args], { reject: false, all: true, env: { DISGUISE: platform } }),
  };
}

const DISGUISE = `
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
const platform = process.env.DISGUISE;
Object.defineProperty(process, 'platform', { value: platform });
if (platform === 'win32') for (const name of ['getuid', 'geteuid', 'getgid', 'getegid', 'getgroups']) delete process[name];
process.dlopen = () => { throw new Error('an addon was loaded'); };
for (const place of [fs, fs.promises])
  for (const [name, original] of Object.entries(place))
    if (typeof original === 'function' && /^[a-z]/.test(name))
      place[name] = (...args) => {
        if (typeof args[0] !== 'string' || !/^\\/(?:proc|sys)(?:\\/|$)/.test(args[0])) return original.apply(place, args);
        if (name === 'existsSync') return false;
        throw Object.assign(new Error('ENOENT: ' + args[0]), { code: 'ENOENT', path: args[0] });
      };
syncBuiltinESMExports();
`;
