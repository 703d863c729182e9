/** What is in the bundle and under which licences: an SPDX 2.3 document, and the licence texts themselves. */
import { copyFile, mkdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { execa } from 'execa';
import type { BundledLibrary } from './runtime.js';

/** A piece of software in the bundle. */
export interface Ingredient {
  readonly name: string;
  readonly version: string;
  /** An SPDX expression, or NOASSERTION where only the text in LICENSES/ says. */
  readonly licence: string;
  readonly supplier: 'npm' | 'Debian' | 'tlsnap';
}

/** The Debian packages that `libraries` come from; their copyright files go to LICENSES/debian/ below `root`. */
export async function debianIngredients(libraries: readonly BundledLibrary[], root: string): Promise<Ingredient[]> {
  const names = new Set<string>();
  for (const { origin } of libraries) names.add(await debianPackageOf(origin));
  const ingredients: Ingredient[] = [];
  for (const name of [...names].sort()) {
    const { stdout } = await execa('dpkg-query', ['--show', '--showformat', '${Package} ${Version}', name]);
    const [bare = name, version = ''] = stdout.split(' ');
    const target = join(root, 'LICENSES/debian', `${bare}.txt`);
    await mkdir(dirname(target), { recursive: true });
    await copyFile(`/usr/share/doc/${bare}/copyright`, target);
    ingredients.push({ name: bare, version, licence: 'NOASSERTION', supplier: 'Debian' });
  }
  return ingredients;
}

/** The npm packages among `paths` (below an installation's root), with the licence that each names. */
export async function npmIngredients(project: string, paths: Iterable<string>): Promise<Ingredient[]> {
  const manifests = [...paths].filter((path) => PACKAGE_MANIFEST.test(path));
  return Promise.all(manifests.map((path) => npmIngredient(join(project, path))));
}

export async function npmIngredient(manifest: string): Promise<Ingredient> {
  const facts = JSON.parse(await readFile(manifest, 'utf8')) as PackageFacts;
  // Before SPDX expressions, npm had a list of licences.
  const licence = facts.license ?? facts.licenses?.map(({ type }) => type).join(' OR ') ?? 'NOASSERTION';
  return { name: facts.name, version: facts.version, licence, supplier: 'npm' };
}

/** The SPDX document, the same for the same ingredients: `created` is the time of the source, not of the build. */
export function spdxDocument(product: Ingredient, parts: readonly Ingredient[], created: Date): string {
  const packages = [product, ...parts].map((part) => ({
    SPDXID: spdxId(part),
    name: part.name,
    versionInfo: part.version,
    downloadLocation: 'NOASSERTION',
    filesAnalyzed: false,
    licenseConcluded: 'NOASSERTION',
    licenseDeclared: part.licence,
    copyrightText: 'NOASSERTION',
    ...(part.supplier === 'Debian' && { supplier: 'Organization: Debian' }),
  }));
  const document = {
    spdxVersion: 'SPDX-2.3',
    dataLicense: 'CC0-1.0',
    SPDXID: 'SPDXRef-DOCUMENT',
    name: `${product.name}-${product.version}`,
    documentNamespace: `https://spdx.org/spdxdocs/${product.name}-${product.version}-linux-x64`,
    creationInfo: { created: `${created.toISOString().slice(0, 19)}Z`, creators: ['Tool: tlsnap-bundle'] },
    packages,
    relationships: [
      { spdxElementId: 'SPDXRef-DOCUMENT', relationshipType: 'DESCRIBES', relatedSpdxElement: spdxId(product) },
      ...parts.map((part) => ({
        spdxElementId: spdxId(product),
        relationshipType: 'CONTAINS',
        relatedSpdxElement: spdxId(part),
      })),
    ],
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}

function spdxId({ supplier, name, version }: Ingredient): string {
  return `SPDXRef-${supplier}-${name}-${version}`.replace(/[^A-Za-z0-9.-]+/g, '-');
}

/** Debian knows a file of /usr/lib by that name or, from before the directories were merged, by /lib. */
async function debianPackageOf(path: string): Promise<string> {
  for (const known of [path, path.replace(/^\/usr\//, '/'), `/usr${path}`]) {
    const { stdout, exitCode } = await execa('dpkg-query', ['--search', known], { reject: false });
    if (exitCode === 0) return stdout.slice(0, stdout.lastIndexOf(': '));
  }
  throw new Error(`${path}: no Debian package holds it, so its licence is not known`);
}

interface PackageFacts {
  readonly name: string;
  readonly version: string;
  readonly license?: string;
  readonly licenses?: readonly { readonly type: string }[];
}

const PACKAGE_MANIFEST = /^node_modules\/(?:.*\/node_modules\/)?(?:@[^/]+\/)?[^/]+\/package\.json$/;
