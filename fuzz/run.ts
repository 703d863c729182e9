/**
 * Coverage-guided fuzzing of the parsers.
 *
 *   npm run fuzz                        every target, a minute each
 *   npm run fuzz -- TARGET [SECONDS]    one of fuzz/targets/
 *   npm run fuzz -- TARGET FILE         runs one input, to see a finding again
 *
 * Inputs that reach new code are kept in fuzz/corpus/TARGET and begin the next run; what breaks a target is written to
 * fuzz/findings/TARGET, and the exit code is 1. Neither folder is committed: a finding becomes a test.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { CoverageMap } from './coverage.js';
import { loadTarget, type Target } from './instrument.js';
import { Mutator } from './mutator.js';

const HERE = import.meta.dirname;
/** An input that takes longer than this is a finding: no parser here needs a hundredth of it. */
const SLOW_MS = 1000;
const MAX_LENGTH = 200_000;

const [, , name, amount = '60'] = process.argv;
const names = readdirSync(join(HERE, 'targets')).map((file) => basename(file, '.ts'));
if (name !== undefined && !names.includes(name)) {
  console.error(`fuzz: ${name}: no such target; there are ${names.join(', ')}`);
  process.exit(2);
}
if (name !== undefined && existsSync(amount)) {
  const target = await loadTarget(join(HERE, 'targets', `${name}.ts`));
  target.fuzz(readFileSync(amount));
} else {
  for (const each of name === undefined ? names : [name]) {
    if (!(await fuzz(each, Number(amount)))) process.exitCode = 1;
  }
}

/** False where something was found. */
async function fuzz(name: string, seconds: number): Promise<boolean> {
  const target = await loadTarget(join(HERE, 'targets', `${name}.ts`));
  const directory = join(HERE, 'corpus', name);
  mkdirSync(directory, { recursive: true });
  const seed = Number(process.env.FUZZ_SEED ?? Date.now() % 0xffff_ffff);
  const mutator = new Mutator(seed);
  const coverage = new CoverageMap();
  const corpus: Uint8Array[] = [];
  const add = (input: Uint8Array, store: boolean): void => {
    corpus.push(input);
    if (store) writeFileSync(join(directory, digest(input)), input);
  };
  const stored = readdirSync(directory).map((file) => new Uint8Array(readFileSync(join(directory, file))));
  for (const input of [...target.seeds(), ...stored]) {
    if (!tryInput(name, target, input)) return false;
    if (coverage.takeNew()) add(input, false);
  }
  console.log(`${name}: ${corpus.length} inputs to begin with, FUZZ_SEED=${seed}`);

  const end = Date.now() + seconds * 1000;
  let runs = 0;
  let report = Date.now() + 30_000;
  while (Date.now() < end) {
    // The clock is asked now and then only.
    for (let turn = 0; turn < 200; turn++, runs++) {
      const input = mutator.mutate(corpus, MAX_LENGTH);
      if (!tryInput(name, target, input)) return false;
      if (coverage.takeNew()) add(input, true);
    }
    if (Date.now() < report) continue;
    report += 30_000;
    console.log(`${name}: ${runs} runs, ${corpus.length} inputs, ${coverage.reached} of ${coverage.total} branches`);
  }
  console.log(`${name}: nothing found in ${runs} runs; ${coverage.reached} of ${coverage.total} branches reached`);
  return true;
}

function tryInput(name: string, target: Target, input: Uint8Array): boolean {
  const started = performance.now();
  try {
    target.fuzz(input);
  } catch (error) {
    return keepFinding(name, input, error);
  }
  if (performance.now() - started < SLOW_MS) return true;
  // The machine may have been busy with something else: what counts is this process's own time, once more.
  const before = process.cpuUsage();
  target.fuzz(input);
  const { user, system } = process.cpuUsage(before);
  const taken = Math.round((user + system) / 1000);
  return taken < SLOW_MS || keepFinding(name, input, new Error(`took ${taken} ms`));
}

function keepFinding(name: string, input: Uint8Array, error: unknown): false {
  const directory = join(HERE, 'findings', name);
  mkdirSync(directory, { recursive: true });
  const file = join(directory, digest(input));
  writeFileSync(file, input);
  console.error(`${name}: FOUND ${file}`);
  console.error(error);
  return false;
}

function digest(input: Uint8Array): string {
  return createHash('sha256').update(input).digest('hex').slice(0, 16);
}
