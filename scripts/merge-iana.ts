/**
 * Merges a registry's CSV, as IANA publishes it, into the newest table of names and writes that as today's table.
 *
 *   node --import tsx scripts/merge-iana.ts cipher_suite|extension|group|signature_scheme|point_format FILE.csv
 */
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { formatTable, readIanaCsv, readTable, REGISTRIES } from './iana-table.js';

const [, , name, file] = process.argv;
const registry = REGISTRIES.find((candidate) => candidate === name);
if (registry === undefined || file === undefined) {
  console.error(`usage: merge-iana.ts ${REGISTRIES.join('|')} FILE.csv`);
  process.exit(2);
}
const directory = join(import.meta.dirname, 'generate/iana');
const newest = (await readdir(directory))
  .filter((entry) => entry.endsWith('.csv'))
  .sort()
  .at(-1);
const old = newest === undefined ? [] : await readTable(join(directory, newest));
const fresh = readIanaCsv(await readFile(file, 'utf8'), registry);
if (fresh.length === 0) {
  console.error(`merge-iana: ${file}: no assigned code points; is it IANA's CSV of ${registry}?`);
  process.exit(65);
}
// What IANA no longer lists stays: clients in the wild still send it.
const values = new Set(fresh.map(({ value }) => value));
const kept = old.filter((row) => row.registry !== registry || !values.has(row.value));
const path = join(directory, `${new Date().toISOString().slice(0, 10)}.csv`);
await writeFile(path, formatTable([...kept, ...fresh]));
console.log(`${path}: ${fresh.length} names of ${registry} from ${file}`);
