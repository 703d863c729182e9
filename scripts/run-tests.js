#!/usr/bin/env node
/**
 * Runs every test: what needs nothing but Node side by side, then what captures live and what boots kernels, one at a
 * time, because those share the machine's network and processors. Says at the end what was left out and why, and
 * closes with one line of totals over all runs.
 *
 * In CI (CI=true) as root on Linux nothing may be left out, except a kernel that may be missing by its own test's word.
 */
import { spawn, spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { dirname, join, sep } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const PROJECT = dirname(dirname(fileURLToPath(import.meta.url)));
const ONE_AT_A_TIME = ['--serial', '--concurrency', '1'];
const LIVE_ROOMS = ['test/bundle/', 'test/kernel/', 'test/native/'];
const MATRIX_ROOM = 'test/kernels/';
/** A test's title carries this where it skips itself; what follows is the reason. */
const LEFT_OUT = ' [left out: ';
/** In a reason: this test may be left out even where nothing else may. */
const MAY_BE_MISSING = 'may be missing';

/** What only frames AVA's TAP stream: we print totals of our own. */
const TAP_FRAME = /^(?:TAP version \d+|1\.\.\d+|# (?:tests|pass|fail|skip|todo) .*|)$/;
const TAP_TEST = /^(not )?ok \d+ - (.*?)( # SKIP.*)?$/;

const isRoot = process.platform === 'linux' && process.getuid() === 0;
const mustRunAll = isRoot && process.env['CI'] === 'true';

const files = readdirSync(join(PROJECT, 'test'), { recursive: true })
  .map((file) => `test/${file.split(sep).join('/')}`)
  .filter((file) => file.endsWith('.test.ts'))
  .sort();
const isLive = (file) => LIVE_ROOMS.some((room) => file.startsWith(room));
const isMatrix = (file) => file.startsWith(MATRIX_ROOM);

const totals = { passed: 0, failed: 0, skipped: 0 };
const leftOut = [];
/** What each failed test printed, to be told again at the end, where it is found. */
const failures = [];

// Mostly waiting for the package source, so it goes on beside the first tests.
const fetched = isRoot ? fetchAll(['scripts/userlands/fetch.ts', 'scripts/kernels/fetch.ts']) : undefined;
await runTests(
  'side by side',
  files.filter((file) => !isLive(file) && !isMatrix(file)),
  [],
);
// The bundle is what the kernels of the matrix run, so it must be the one of this tree.
if (isRoot) runScript('scripts/bundle.ts');
await fetched;
await runTests('live', files.filter(isLive), ONE_AT_A_TIME);
if (isRoot) {
  // A guest uses little more than one processor: its own time is what counts, and its limits are wide.
  await runTests('kernels', files.filter(isMatrix), ['--serial', '--concurrency', '2', '--timeout', '20m']);
} else {
  leftOut.push('the kernel matrix: needs root on Linux here; npm run test:kernels tries it anyway');
  totals.skipped++;
}

if (failures.length > 0) console.log(`\nFailed:\n${failures.flat().join('\n')}`);
if (leftOut.length > 0) console.log(`\nLeft out:\n${leftOut.map((line) => `  ${line}`).join('\n')}`);
const forbidden = mustRunAll ? leftOut.filter((line) => !line.includes(MAY_BE_MISSING)) : [];
if (forbidden.length > 0) {
  console.log(`\nIn CI as root nothing may be left out, and ${forbidden.length} were: counted as failed.`);
  totals.failed += forbidden.length;
  totals.skipped -= forbidden.length;
}
console.log(`\n${totals.passed} passed, ${totals.failed} failed, ${totals.skipped} skipped`);
process.exitCode = totals.failed === 0 && totals.passed > 0 ? 0 : 1;

/** What goes wrong in it shows in the tests that need what it makes. */
function runScript(script) {
  console.log(`\n== ${script}`);
  spawnSync(process.execPath, ['--import', 'tsx', script], { cwd: PROJECT, stdio: 'inherit' });
}

/** Runs scripts one after the other; what they print comes together at the end. */
async function fetchAll(scripts) {
  for (const script of scripts) {
    const child = spawn(process.execPath, ['--import', 'tsx', script], {
      cwd: PROJECT,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const said = [`\n== ${script}`];
    for (const stream of [child.stdout, child.stderr])
      createInterface({ input: stream }).on('line', (line) => said.push(line));
    await new Promise((resolve) => {
      child.on('close', resolve);
    });
    console.log(said.join('\n'));
  }
}

/** Runs AVA over `tests`, prints its tests as they end, and adds to the totals. */
async function runTests(name, tests, flags) {
  if (tests.length === 0) return;
  console.log(`\n== ${name}: ${tests.length} files`);
  const ava = join(PROJECT, 'node_modules/ava/entrypoints/cli.mjs');
  const child = spawn(process.execPath, [ava, '--tap', ...flags, ...tests], {
    cwd: PROJECT,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = new Promise((resolve) => {
    child.on('close', resolve);
  });
  let failed = 0;
  /** Lines of the failed test that is being printed. */
  let failure = null;
  for await (const line of createInterface({ input: child.stdout })) {
    if (TAP_FRAME.test(line)) continue;
    const [, not, title, skip] = TAP_TEST.exec(line) ?? [];
    if (title === undefined) {
      console.log(line);
      failure?.push(line);
      continue;
    }
    failure = null;
    if (skip !== undefined) {
      totals.skipped++;
      leftOut.push(title.includes(LEFT_OUT) ? title : `${title}${LEFT_OUT}no reason given]`);
    } else {
      const shown = `${not ? '✘' : '✔'} ${title}`;
      console.log(shown);
      if (not) {
        failed++;
        failures.push((failure = [shown]));
      } else {
        totals.passed++;
      }
    }
  }
  const exitCode = await ended;
  // AVA also fails without a failed test to show: no tests in a file, a worker that died.
  if (exitCode !== 0 && failed === 0) {
    console.log(`✘ ${name}: ava ended with ${exitCode}`);
    failures.push([`✘ ${name}: ava ended with ${exitCode}`]);
    failed = 1;
  }
  totals.failed += failed;
}
