/**
 * Writes every file of the tree that is derived from another one.
 *
 *   npm run generate              writes them
 *   npm run generate -- --check   writes nothing; names what is stale and exits 1
 *
 * A generator is a module of scripts/generate/ with an exported `generate(project)`, which resolves to the content of
 * each of its files by path below `project`.
 */
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import prettier from 'prettier';

type Generate = (project: string) => Promise<ReadonlyMap<string, string>>;

const check = process.argv.includes('--check');
const project = resolve(import.meta.dirname, '..');

for (const generate of await generators()) {
  for (const [path, content] of await generate(project)) {
    const file = join(project, path);
    const options = await prettier.resolveConfig(file);
    const fresh = await prettier.format(content, { ...options, filepath: file });
    if (fresh === (await readFile(file, 'utf8').catch(() => undefined))) continue;
    if (check) {
      console.error(`generate: ${path}: is stale; npm run generate writes it anew`);
      process.exitCode = 1;
    } else {
      await writeFile(file, fresh);
      console.log(`generate: ${path}`);
    }
  }
}

async function generators(): Promise<Generate[]> {
  const directory = join(import.meta.dirname, 'generate');
  const names = (await readdir(directory)).filter((name) => name.endsWith('.ts')).sort();
  const modules = names.map(async (name) => (await import(pathToFileURL(join(directory, name)).href)) as object);
  return (await Promise.all(modules)).flatMap((module) => ('generate' in module ? [module.generate as Generate] : []));
}
