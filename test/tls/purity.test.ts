import test from 'ava';
import { readdirSync, readFileSync } from 'node:fs';

const DIRECTORY = new URL('../../src/tls/', import.meta.url);
const SOURCES = readdirSync(DIRECTORY).map((name) => [name, readFileSync(new URL(name, DIRECTORY), 'utf8')] as const);

test('src/tls imports itself and node:crypto only', (t) => {
  for (const [name, source] of SOURCES) {
    for (const [, from = ''] of source.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)) {
      t.regex(from, /^(\.\/[\w-]+\.js|node:crypto)$/, name);
    }
  }
  t.true(SOURCES.length > 15);
});

test('src/tls keeps no state in its modules', (t) => {
  for (const [name, source] of SOURCES) t.notRegex(source, /^(export )?(let|var) /m, name);
});
