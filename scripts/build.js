#!/usr/bin/env node
/**
 * Builds what can be built here: the command line everywhere, and on Linux, where the tools are there, the BPF object
 * and the addon. What was left out is named with its reason; what was tried and failed ends the build.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const PROJECT = dirname(dirname(fileURLToPath(import.meta.url)));

/** What `make` needs in each folder: commands on the PATH, and one header that stands for its library. */
const NATIVE_PARTS = [
  {
    folder: 'bpf',
    makes: 'the BPF object',
    commands: ['make', 'clang', 'llvm-strip'],
    header: '/usr/include/bpf/bpf_helpers.h',
  },
  { folder: 'native', makes: 'the addon', commands: ['make', 'g++'], header: '/usr/include/bpf/libbpf.h' },
];

removeStaleOutput();
run(process.execPath, [join('node_modules', 'typescript', 'bin', 'tsc'), '--project', 'tsconfig.build.json']);
const leftOut = NATIVE_PARTS.filter((part) => !makePart(part));
if (leftOut.length > 0) console.log('build: without them everything but capture and record works');

/** tsc never deletes: a command whose source is gone would still be one. */
function removeStaleOutput() {
  const dist = join(PROJECT, 'dist');
  if (!existsSync(dist)) return;
  for (const file of readdirSync(dist, { recursive: true })) {
    const source = file.replace(/\.(?:js|d\.ts)$/, '');
    if (source !== file && !existsSync(join(PROJECT, 'src', `${source}.ts`))) rmSync(join(dist, file));
  }
}

/** True where the part was built. */
function makePart({ folder, makes, commands, header }) {
  const reason = reasonAgainst(folder, commands, header);
  if (reason !== undefined) {
    console.log(`build: ${makes} (${folder}/) is left out: ${reason}`);
    return false;
  }
  run('make', ['--no-print-directory', '--directory', folder]);
  return true;
}

function reasonAgainst(folder, commands, header) {
  if (process.platform !== 'linux') return `capture runs on Linux only, and this is ${process.platform}`;
  if (!existsSync(join(PROJECT, folder, 'Makefile'))) return 'no Makefile';
  const missing = commands.filter((command) => !hasCommand(command));
  if (missing.length > 0) return `no ${missing.join(', no ')}: npm run setup says what to install`;
  if (!existsSync(header)) return `no ${header}: npm run setup says what to install`;
  return undefined;
}

function hasCommand(name) {
  return (process.env['PATH'] ?? '').split(':').some((folder) => existsSync(join(folder, name)));
}

function run(command, args) {
  const { status, error } = spawnSync(command, args, { cwd: PROJECT, stdio: 'inherit' });
  if (status === 0) return;
  console.error(`build: ${command} ${args.join(' ')}: ${error?.message ?? 'failed: see above'}`);
  process.exit(1);
}
