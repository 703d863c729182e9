/** Packages bring tests, manuals and builds for others; and what was merged is there twice. Only what is loaded stays. */
import { readdir, rm, rmdir } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { build } from 'esbuild';

/**
 * Removes every file below `root`/node_modules that no import, require() or import() with a constant name leads to from
 * `entries` (absolute). Each package keeps its package.json and its licence; what is read by its path is in READ_BY_PATH.
 */
export async function removeUnusedFiles(root: string, entries: readonly string[]): Promise<void> {
  const { metafile } = await build({
    entryPoints: [...entries],
    outdir: root,
    bundle: true,
    platform: 'node',
    format: 'esm',
    // As Node resolves them: esbuild alone has a condition `module`.
    conditions: [],
    absWorkingDir: root,
    write: false,
    metafile: true,
    logLevel: 'error',
    external: ['typescript', '*.node'],
  });
  const used = new Set(Object.keys(metafile.inputs).map((input) => resolve(root, input)));
  for (const name of READ_BY_PATH) used.add(join(root, 'node_modules', name));
  await keep(join(root, 'node_modules'), (path) => used.has(path) || KEPT.test(basename(path)));
}

/** Removes all else below `folder`, and folders that are empty then. */
async function keep(folder: string, isKept: (path: string) => boolean): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) await keep(path, isKept);
    else if (!isKept(path)) await rm(path);
  }
  if ((await readdir(folder)).length === 0) await rmdir(folder);
}

const KEPT = /^(?:package\.json|.*(?:licen[cs]e|copying|notice).*)$/i;
/** src/write-report.ts puts these into its page. */
const READ_BY_PATH = ['uplot/dist/uPlot.iife.min.js', 'uplot/dist/uPlot.min.css'];
