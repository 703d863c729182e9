/** Makes a target countable: bundled into one module, with a counter at every branch of this project's own code. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { createInstrumenter } from 'istanbul-lib-instrument';

/** A module of fuzz/targets/. */
export interface Target {
  /** Throws where the code under test does not keep what it promises. */
  fuzz(input: Uint8Array): void;
  /** Inputs to begin with. */
  seeds(): Uint8Array[];
}

/** The global in which the instrumented module counts. */
export const COVERAGE_VARIABLE = '__fuzz_coverage__';

export async function loadTarget(file: string): Promise<Target> {
  const project = join(import.meta.dirname, '..');
  const bundle = await build({
    entryPoints: [file],
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    packages: 'external',
    absWorkingDir: project,
  });
  const source = bundle.outputFiles[0]?.text ?? '';
  const instrumenter = createInstrumenter({ esModules: true, coverageVariable: COVERAGE_VARIABLE, compact: true });
  // Below the project, so that what stays external is found.
  const directory = mkdtempSync(join(project, 'node_modules', '.fuzz-'));
  try {
    const module = join(directory, 'target.mjs');
    writeFileSync(module, instrumenter.instrumentSync(source, module));
    return (await import(pathToFileURL(module).href)) as Target;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
