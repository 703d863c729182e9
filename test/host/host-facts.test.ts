import { createHash } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import fc from 'fast-check';
import { Compile } from 'typebox/compile';
import { clockStepNs, parseUptime } from '../../src/host/clocks.js';
import { collectHost, parseLockdown } from '../../src/host/host-facts.js';
import { compareModules, parseModules } from '../../src/host/modules.js';
import { parseOsRelease } from '../../src/host/os-release.js';
import { loadingEnvironment } from '../../src/host/own-view.js';
import { parseTaint } from '../../src/host/taint.js';
import { Host } from '../../src/snapshot/schema/host.js';
import { testUnless } from '../left-out.js';
import { reasonAgainstProc, temporaryFolder } from '../procfs/live-process.js';

// The kernel's Documentation/admin-guide/tainted-kernels.rst: 12288 is O and E, 4609 is P, W and O... by its table.
test('taint is decoded as the kernel documents it', (t) => {
  const letters = (text: string) =>
    parseTaint(text)
      ?.flags.map(({ letter }) => letter)
      .join('');
  t.is(letters('0\n'), '');
  t.is(letters('12288\n'), 'OE');
  t.is(letters('4609\n'), 'PWO');
  t.is(letters('1048575\n'), 'PFSRMBUDAWCIOELKXTNJ');
  t.is(letters('1048576\n'), '?');
  t.is(parseTaint('x'), null);
});

// Lines as proc_modules(5) describes them.
const MODULES = `nf_tables 372736 1 nft_compat, Live 0x0000000000000000
evil 16384 0 - Live 0xffffffffc0a00000 (OE)
broken
`;

test('modules in one place and not in the other are named', (t) => {
  const loaded = parseModules(MODULES);
  t.deepEqual(loaded, [
    { name: 'nf_tables', size: '372736', state: 'Live', taint: null },
    { name: 'evil', size: '16384', state: 'Live', taint: 'OE' },
  ]);
  t.like(compareModules(loaded, ['nf_tables', 'rootkit']), { onlyInProc: ['evil'], onlyInSys: ['rootkit'] });
});

test('os-release is read as a shell reads it', (t) => {
  const text = `# a comment\nNAME="Debian GNU/Linux"\nID=debian\nX='a "b"'\nESCAPED="a \\"b\\" \\$c"\n=x\nlower=1\n__proto__=1\n`;
  t.deepEqual(parseOsRelease(text), {
    NAME: 'Debian GNU/Linux',
    ID: 'debian',
    X: 'a "b"',
    ESCAPED: 'a "b" $c',
  });
  const printed = execFileSync('sh', ['-c', `${text.split('\n')[4] ?? ''}; printf %s "$ESCAPED"`], {
    encoding: 'utf8',
  });
  t.is(parseOsRelease(text)['ESCAPED'], printed);
});

test('no text is an exception to any of these parsers', (t) => {
  const piece = fc.constantFrom(
    'A',
    '=',
    '"',
    "'",
    '\\',
    ' ',
    '\n',
    '0x1',
    '(',
    ')',
    '12',
    '.',
    'Live',
    '[none]',
    '__proto__',
  );
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.array(piece).map((pieces) => pieces.join('')),
      ),
      (text) => {
        parseTaint(text);
        parseModules(text);
        parseOsRelease(text);
        parseLockdown(text);
        parseUptime(text);
        return true;
      },
    ),
  );
  t.pass();
});

test('lockdown is the mode in brackets', (t) => {
  t.is(parseLockdown('none [integrity] confidentiality\n'), 'integrity');
  t.is(parseLockdown('[none] integrity confidentiality\n'), 'none');
  t.is(parseLockdown(null), null);
});

test('a step of the wall clock is what boot time does not explain', (t) => {
  const at = (realtime: string, boottime: string) => ({ realtime, boottime, monotonic: '0', tai: null, ntp: null });
  t.is(clockStepNs(at('1000', '10'), at('3500', '2010')), '500');
  t.is(clockStepNs(at('5000', '10'), at('1000', '20')), '-4010');
  t.is(parseUptime('123.45 67.89\n'), 123_450_000_000n);
});

test('only what loads code into the tool is kept of its environment', (t) => {
  t.deepEqual(loadingEnvironment({ LD_PRELOAD: '/x.so', HOME: '/root', NODE_OPTIONS: '' }), [
    'LD_PRELOAD=/x.so',
    'NODE_OPTIONS=',
  ]);
});

/** A host of files: what a rootkit's would look like. */
function madeHost(t: ExecutionContext, files: Record<string, string | Buffer>): Host {
  const root = temporaryFolder(t);
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(join(root, name, '..'), { recursive: true });
    writeFileSync(join(root, name), content);
  }
  for (const folder of ['proc', 'sys', 'etc']) mkdirSync(join(root, folder), { recursive: true });
  const roots = { proc: join(root, 'proc'), sys: join(root, 'sys'), etc: join(root, 'etc') };
  const host = collectHost({ roots, self: { pid: 1, environment: [] } });
  t.deepEqual([...Compile(Host).Errors(host)], []);
  return host;
}

test('ld.so.preload, hidden modules, taint, modules of security and lockdown are told', (t) => {
  const preload = Buffer.from('/lib/\xff\x1b[2J.so\n', 'latin1');
  const host = madeHost(t, {
    'etc/ld.so.preload': preload,
    'etc/machine-id': `${'ab'.repeat(16)}\n`,
    'proc/modules': MODULES,
    'proc/sys/kernel/tainted': '12288\n',
    'sys/module/rootkit/initstate': 'live\n',
    'sys/module/nf_tables/initstate': 'live\n',
    'sys/module/builtin/parameters/x': '1\n',
    'sys/kernel/security/lsm': 'lockdown,capability,bpf',
    'sys/kernel/security/lockdown': 'none [integrity] confidentiality\n',
    'proc/self/mountinfo': '22 27 0:21 / /proc rw - proc proc rw\n',
  });
  t.deepEqual(Buffer.from(host.preload.contentRaw ?? '', 'base64'), preload);
  t.is(host.preload.sha256, createHash('sha256').update(preload).digest('hex'));
  t.like(host.modules, { onlyInProc: ['evil'], onlyInSys: ['rootkit'] });
  t.deepEqual(host.lsm, ['lockdown', 'capability', 'bpf']);
  t.is(host.lockdown, 'integrity');
  t.is(host.machineId, 'ab'.repeat(16));
  t.is(host.taint?.value, '12288');
});

test('of an empty host everything is null, and what should be there is named', (t) => {
  const host = madeHost(t, {});
  t.like(host, { hostname: null, taint: null, modules: null, lsm: null, mounts: [] });
  t.like(host.preload, { exists: false, content: null });
  t.true(host.errors.some(({ field, code }) => field === 'mounts' && code === 'ENOENT'));
});

testUnless(reasonAgainstProc, 'a FIFO in the place of ld.so.preload does not hang', (t) => {
  const root = temporaryFolder(t);
  mkdirSync(join(root, 'etc'));
  execFileSync('mkfifo', [join(root, 'etc/ld.so.preload')]);
  const host = collectHost({
    roots: { proc: '/proc', sys: '/sys', etc: join(root, 'etc') },
    self: { pid: 1, environment: [] },
  });
  t.is(host.preload.exists, null);
  t.true(host.errors.some(({ field, code }) => field === 'preload' && code === 'ENOTSUP'));
});
