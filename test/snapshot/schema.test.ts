import { readFile, readdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import test from 'ava';
import { execa } from 'execa';
import { temporaryFolder, writeSample } from './sample.js';

const SCHEMAS = resolve(import.meta.dirname, '../../schemas');
const ROWS = ['handshakes', 'fingerprints', 'processes', 'sockets', 'actions'];

// ajv is the independent judge: the writer and the reader use typebox.

test('ajv validates every member of a snapshot by the published schemas', async (t) => {
  const folder = await temporaryFolder(t);
  const { path } = await writeSample(folder);
  await execa('tar', ['-xzf', path, '--strip-components=1', '-C', folder]);
  for (const name of [...ROWS, 'manifest', 'host']) {
    const text = await readFile(join(folder, ROWS.includes(name) ? `${name}.ndjson` : `${name}.json`), 'utf8');
    const values = ROWS.includes(name) ? text.trimEnd().split('\n') : [text];
    const validate = await compiled(name);
    for (const value of values) t.true(validate(JSON.parse(value)), `${name}: ${JSON.stringify(validate.errors)}`);
    t.true(values.length > 0);
  }
});

test('ajv refuses an unknown field, a missing one and one of another type in every kind of row', async (t) => {
  const folder = await temporaryFolder(t);
  const { path } = await writeSample(folder);
  await execa('tar', ['-xzf', path, '--strip-components=1', '-C', folder]);
  for (const name of ROWS) {
    const [line = ''] = (await readFile(join(folder, `${name}.ndjson`), 'utf8')).split('\n');
    const row = JSON.parse(line) as Record<string, unknown>;
    const validate = await compiled(name);
    t.false(validate({ ...row, more: 1 }), name);
    for (const field of Object.keys(row)) {
      const { [field]: left, ...others } = row;
      t.false(validate(others), `${name} without ${field}`);
      t.false(validate({ ...row, [field]: Symbol.iterator }), `${name} with another ${field} than ${String(left)}`);
    }
  }
});

test('every schema has a name of its own that is no address', async (t) => {
  const names = await readdir(SCHEMAS);
  t.is(names.length, ROWS.length + 2);
  for (const name of names) {
    const { $id, $schema } = JSON.parse(await readFile(join(SCHEMAS, name), 'utf8')) as Record<string, string>;
    t.is($id, `urn:tlsnap:snapshot:1:${name.replace('.schema.json', '')}`);
    t.is($schema, 'https://json-schema.org/draft/2020-12/schema');
  }
});

async function compiled(name: string) {
  const schema = JSON.parse(await readFile(join(SCHEMAS, `${name}.schema.json`), 'utf8')) as object;
  return new Ajv2020({ strict: true, allowUnionTypes: true, allErrors: true }).compile(schema);
}
