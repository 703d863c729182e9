#!/usr/bin/env node
/**
 * Brings a checkout to where it can be built: installs the packages of package-lock.json, and on Debian and its kin, as
 * root, what of the system is missing. Anywhere else it says what to install. Run again, it does nothing in no time.
 *
 *   node scripts/setup.js            what the build needs
 *   node scripts/setup.js --test     and what the tests need
 *   node scripts/setup.js --bundle   and what `npm run bundle` needs
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Everything wanted from the system. `dnf` is the name in Fedora; null where Fedora has none. */
const PACKAGES = [
  { apt: 'clang', dnf: 'clang', for: 'build', why: 'compiles bpf/ to BPF' },
  { apt: 'llvm', dnf: 'llvm', for: 'build', why: 'llvm-strip: takes the debug sections out of the BPF object' },
  {
    apt: 'libbpf-dev',
    dnf: 'libbpf-devel',
    for: 'build',
    why: 'headers of bpf/ and native/, and the library native/ links',
  },
  { apt: 'libelf-dev', dnf: 'elfutils-libelf-devel', for: 'build', why: 'libbpf reads the BPF object with it' },
  { apt: 'zlib1g-dev', dnf: 'zlib-ng-compat-devel', for: 'build', why: 'libbpf depends on it' },
  { apt: 'linux-libc-dev', dnf: 'kernel-headers', for: 'build', why: "the kernel's user-space headers" },
  { apt: 'make', dnf: 'make', for: 'build', why: 'runs the Makefiles of bpf/ and native/' },
  { apt: 'g++', dnf: 'gcc-c++', for: 'build', why: 'compiles native/' },
  { apt: 'tshark', dnf: 'wireshark-cli', for: 'test', why: 'an independent reading of hellos, JA3 and JA4' },
  { apt: 'libndpi-bin', dnf: 'ndpi', for: 'test', why: 'ndpiReader: a second independent reading of JA4' },
  { apt: 'openssl', dnf: 'openssl', for: 'test', why: 'TLS clients and servers, and digests to compare with' },
  { apt: 'gnutls-bin', dnf: 'gnutls-utils', for: 'test', why: 'gnutls-cli and gnutls-serv' },
  { apt: 'curl', dnf: 'curl', for: 'test', why: 'a client that speaks HTTP proxies and SOCKS' },
  { apt: 'chromium', dnf: 'chromium', for: 'test', why: 'GREASE, post-quantum and ECH hellos as a browser sends them' },
  { apt: 'python3', dnf: 'python3', for: 'test', why: 'clients that cut their hellos, fork, and pass sockets' },
  { apt: 'openssh-client', dnf: 'openssh-clients', for: 'test', why: 'ssh-keygen and ssh-agent judge our signatures' },
  { apt: 'age', dnf: 'age', for: 'test', why: 'decrypts what we encrypted' },
  { apt: 'iproute2', dnf: 'iproute', for: 'test', why: 'network namespaces, veth pairs and packet loss' },
  { apt: 'util-linux', dnf: 'util-linux', for: 'test', why: 'setpriv, unshare and prlimit: users, namespaces, limits' },
  { apt: 'bsdutils', dnf: 'util-linux-script', for: 'test', why: 'script: a terminal to write to' },
  { apt: 'libcap2-bin', dnf: 'libcap', for: 'test', why: 'capsh: what capabilities a process has' },
  { apt: 'gcc', dnf: 'gcc', for: 'test', why: 'programs of the tests in C, and the launcher of the bundle' },
  { apt: 'libssl-dev', dnf: 'openssl-devel', for: 'test', why: 'TLS clients in C that measure the cost of a capture' },
  { apt: 'debootstrap', dnf: 'debootstrap', for: 'test', why: 'other releases of Debian for the bundle to run in' },
  { apt: 'procps', dnf: 'procps-ng', for: 'test', why: 'what ps says of a process, to compare with' },
  { apt: 'bpftool', dnf: 'bpftool', for: 'test', why: 'shows what is left in the kernel after a capture' },
  { apt: 'strace', dnf: 'strace', for: 'test', why: 'shows which files a capture opens' },
  { apt: 'qemu-system-x86', dnf: 'qemu-system-x86-core', for: 'test', why: 'boots the kernels of the matrix' },
  { apt: 'busybox-static', dnf: 'busybox', for: 'test', why: "the guests' shell" },
  { apt: 'cpio', dnf: 'cpio', for: 'test', why: "packs the guests' file system" },
  { apt: 'libdeflate-tools', dnf: 'libdeflate-utils', for: 'bundle', why: 'compresses the bundle better than gzip' },
];

const PROJECT = dirname(dirname(fileURLToPath(import.meta.url)));

main(process.argv.slice(2));

function main(args) {
  const unknown = args.find((arg) => arg !== '--test' && arg !== '--bundle');
  if (unknown !== undefined) {
    console.error(`setup: ${unknown}: unknown; the options are --test and --bundle`);
    process.exit(2);
  }
  installNodePackages();
  const wanted = PACKAGES.filter((entry) => entry.for === 'build' || args.includes(`--${entry.for}`));
  if (process.platform !== 'linux') {
    console.log('setup: capture runs on Linux only; what is built here is the command line for offline work');
  } else if (hasCommand('dpkg-query') && hasCommand('apt-get')) {
    installDebianPackages(wanted);
  } else {
    adviseOtherLinux(wanted);
  }
}

function installNodePackages() {
  if (installedTreeMatchesLock()) return;
  console.log('setup: installing the packages of package-lock.json');
  // No dependency needs its install script, and ssh2's would look for a compiler.
  const npmArgs = ['ci', '--ignore-scripts', '--no-audit', '--no-fund'];
  const npm = process.env['npm_execpath'];
  const { status } = npm?.endsWith('.js')
    ? run(process.execPath, [npm, ...npmArgs])
    : run('npm', npmArgs, { shell: process.platform === 'win32' });
  if (status !== 0) {
    console.error('setup: npm ci failed: see above');
    process.exit(1);
  }
}

/** npm notes what it put into node_modules in a lock file of its own: compare that, rather than two dates. */
function installedTreeMatchesLock() {
  const installedLock = join(PROJECT, 'node_modules/.package-lock.json');
  if (!existsSync(installedLock)) return false;
  const wanted = JSON.parse(readFileSync(join(PROJECT, 'package-lock.json'), 'utf8')).packages;
  const installed = JSON.parse(readFileSync(installedLock, 'utf8')).packages;
  return Object.entries(wanted).every(([path, { version, integrity, optional }]) => {
    if (path === '') return true;
    // An optional package may be for another platform.
    if (installed[path] === undefined) return optional === true;
    return installed[path].version === version && installed[path].integrity === integrity;
  });
}

function installDebianPackages(wanted) {
  const missing = missingDebianPackages(wanted);
  if (missing.length === 0) return;
  const install = ['--quiet', '--quiet', '-o', 'Dpkg::Use-Pty=0', 'install', '--yes', '--no-install-recommends'];
  if (process.getuid() !== 0) {
    console.log(`setup: missing, and only root may install them:\n${describe(missing, 'apt')}`);
    console.log(`setup: run  sudo apt-get install ${missing.map(({ apt }) => apt).join(' ')}`);
    return;
  }
  console.log(`setup: installing\n${describe(missing, 'apt')}`);
  // tshark asks whether others than root may capture; nobody is there to answer.
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  run('apt-get', ['--quiet', '--quiet', 'update'], { env });
  const known = missing.filter(({ apt }) => isKnownToApt(apt));
  if (known.length > 0) run('apt-get', [...install, ...known.map(({ apt }) => apt)], { env });
  const still = missingDebianPackages(missing);
  if (still.length > 0) {
    console.log(
      `setup: could not be installed; the build or the tests leave out what needs them:\n${describe(still, 'apt')}`,
    );
  }
}

function missingDebianPackages(wanted) {
  const names = wanted.map(({ apt }) => apt);
  const query = spawnSync('dpkg-query', ['--show', '--showformat', '${db:Status-Status} ${Package}\n', ...names], {
    encoding: 'utf8',
  });
  const installed = new Set(query.stdout.split('\n').filter((line) => line.startsWith('installed ')));
  return wanted.filter(({ apt }) => !installed.has(`installed ${apt}`));
}

/** Ubuntu lacks some of Debian's names, and one unknown name would fail the whole installation. */
function isKnownToApt(name) {
  return /Candidate: (?!\(none\))/.test(
    spawnSync('apt-cache', ['policy', name], { encoding: 'utf8', env: { LC_ALL: 'C' } }).stdout,
  );
}

/** Without dpkg there is no asking what is installed, only whether the build's tools are there. */
function adviseOtherLinux(wanted) {
  const tools = ['clang', 'llvm-strip', 'make', 'g++'];
  const missing = tools.filter((tool) => !hasCommand(tool));
  if (missing.length === 0 && existsSync('/usr/include/bpf/libbpf.h')) return;
  const fedora = wanted.filter(({ dnf }) => dnf !== null);
  console.log(
    `setup: this is not a Debian, so install by hand what is missing (names are Fedora's):\n${describe(fedora, 'dnf')}`,
  );
  console.log(`setup: run  sudo dnf install ${fedora.map(({ dnf }) => dnf).join(' ')}`);
}

function describe(entries, system) {
  return entries.map((entry) => `  ${entry[system].padEnd(22)} ${entry.why}`).join('\n');
}

function hasCommand(name) {
  return (process.env['PATH'] ?? '').split(':').some((folder) => existsSync(join(folder, name)));
}

function run(command, args, options = {}) {
  const result = spawnSync(command, args, { cwd: PROJECT, stdio: 'inherit', ...options });
  if (result.error !== undefined) console.error(`setup: ${command}: ${result.error.message}`);
  return result;
}
