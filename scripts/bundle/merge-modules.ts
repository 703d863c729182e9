/** Packages of many small files are the better part of the time that a command takes to start: these become few. */
import { createRequire } from 'node:module';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, extname, join, resolve } from 'node:path';
import { build, type Format } from 'esbuild';

/** A package to merge: its folder, and those of its files that are imported from outside. */
export interface MergedPackage {
  readonly folder: string;
  readonly format: Extract<Format, 'cjs' | 'esm'>;
  readonly entries: readonly string[];
}

export const MERGED_PACKAGES: readonly MergedPackage[] = [
  { folder: 'node_modules/@oclif/core', format: 'cjs', entries: ['lib/index.js'] },
  { folder: 'node_modules/archiver', format: 'esm', entries: ['index.js'] },
  { folder: 'node_modules/typebox', format: 'esm', entries: ['build/index.mjs', 'build/compile/index.mjs'] },
];

/**
 * Inlines into the entries what they load, and takes the package's own files away that are in them now. Its package.json
 * and licence stay, and so do the packages that were inlined: others may need them.
 *
 * @param root of the installation, absolute
 */
export async function mergeModules(root: string, { folder, format, entries }: MergedPackage): Promise<void> {
  const home = join(root, folder);
  const { outputFiles, metafile } = await build({
    entryPoints: entries.map((entry) => join(home, entry)),
    outdir: home,
    outbase: home,
    bundle: true,
    splitting: format === 'esm',
    platform: 'node',
    format,
    ...(format === 'esm' && { outExtension: { '.js': extname(entries[0] ?? '') } }),
    target: 'node20',
    absWorkingDir: root,
    write: false,
    metafile: true,
    logLevel: 'error',
    // oclif asks for it where a plugin is written in TypeScript.
    external: ['typescript'],
    // What is CommonJS among the inlined packages asks for Node's own modules this way.
    ...(format === 'esm' && { banner: { js: REQUIRE } }),
    ...(format === 'cjs' && { footer: { js: namesOf(entries.map((entry) => join(home, entry))) } }),
  });
  const inputs = Object.keys(metafile.inputs).map((input) => resolve(root, input));
  const stranger = inputs.find((input) => !input.startsWith(`${root}/`));
  if (stranger !== undefined) throw new Error(`${folder}: would take in ${stranger}, which is not in the bundle`);
  for (const input of inputs) if (input.startsWith(`${home}/`) && !input.endsWith('/package.json')) await rm(input);
  for (const { path, contents } of outputFiles) {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, contents);
  }
}

/** Where an ES module imports a CommonJS one, Node looks for the exported names in its text. */
function namesOf(files: readonly string[]): string {
  const load = createRequire(import.meta.url);
  const names = files.flatMap((file) => Object.keys(load(file) as object)).filter((name) => name !== '__esModule');
  return `0 && (module.exports = { ${names.sort().join(', ')} });`;
}

const REQUIRE =
  "import { createRequire as requireFrom } from 'node:module'; const require = requireFrom(import.meta.url);";
