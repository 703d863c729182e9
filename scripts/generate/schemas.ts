import type { TSchema } from 'typebox';
import { FORMAT_VERSION } from '../../src/snapshot/schema/format-version.js';
import { Manifest } from '../../src/snapshot/schema/manifest.js';
import { Host } from '../../src/snapshot/schema/host.js';
import { ROW_SCHEMAS } from '../../src/snapshot/schema/validators.js';

/** schemas/*.schema.json: the members of a snapshot as JSON Schema 2020-12, for readers in other languages. */
export function generate(): Promise<ReadonlyMap<string, string>> {
  const documents: [string, TSchema, string][] = [
    ['manifest', Manifest, 'manifest.json'],
    ['host', Host, 'host.json'],
    ...Object.entries(ROW_SCHEMAS).map(([name, schema]): [string, TSchema, string] => [
      name,
      schema,
      `one line of ${name}.ndjson`,
    ]),
  ];
  return Promise.resolve(
    new Map(documents.map(([name, schema, what]) => [`schemas/${name}.schema.json`, published(name, schema, what)])),
  );
}

function published(name: string, schema: TSchema, what: string): string {
  const head = {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    // A name, not an address: nothing is to be fetched.
    $id: `urn:tlsnap:snapshot:${FORMAT_VERSION}:${name}`,
    title: `tlsnap snapshot format ${FORMAT_VERSION}: ${what}`,
  };
  return JSON.stringify({ ...head, ...schema }, null, 2);
}
