import { createHash } from 'node:crypto';
import test from 'ava';
import { parse } from 'csv-parse/sync';
import fc from 'fast-check';
import { csvLines, csvText } from '../../src/csv.js';
import { type Feed, parseFeed } from '../../src/intel/load.js';
import { csvRenderer } from '../../src/report/csv.js';
import { handshakeCsvLine } from '../../src/report/handshake-csv-line.js';
import { Marks } from '../../src/report/marks.js';
import { Report } from '../../src/report/report.js';
import type { Column } from '../../src/report/tables/column.js';
import { FINGERPRINT_COLUMNS } from '../../src/report/tables/fingerprints.js';
import { HANDSHAKE_COLUMNS } from '../../src/report/tables/handshakes.js';
import { PROCESS_COLUMNS } from '../../src/report/tables/processes.js';
import { SOCKET_COLUMNS } from '../../src/report/tables/sockets.js';
import { openSnapshot } from '../../src/snapshot/reader.js';
import { Handshake } from '../../src/snapshot/schema/handshake.js';
import type { Rows } from '../../src/snapshot/schema/validators.js';
import { arbitraryOf } from '../snapshot/arbitrary-row.js';
import { temporaryFolder } from '../snapshot/sample.js';
import { HOSTILE_NAMES, writeHostileSnapshot } from './hostile-snapshot.js';

const TABLES = {
  handshakes: HANDSHAKE_COLUMNS,
  processes: PROCESS_COLUMNS,
  fingerprints: FINGERPRINT_COLUMNS,
  sockets: SOCKET_COLUMNS,
};

for (const table of ['handshakes', 'processes', 'fingerprints', 'sockets'] as const) {
  test(`${table}: csv-parse and the documented rule give the snapshot's values back`, async (t) => {
    const { rows, text } = await written(t, table);
    const columns = TABLES[table] as readonly Column<unknown>[];
    const parsed = readBack(text, columns);
    t.is(parsed.length, rows.length);
    for (const [at, row] of rows.entries()) {
      for (const { name, value, type } of columns) {
        const expected = value(row, []) ?? null;
        // A json cell is compared as the value that is in it.
        t.deepEqual(
          parsed[at]?.[name],
          type === 'json' && expected !== null ? JSON.parse(String(expected)) : expected,
          name,
        );
      }
    }
  });

  test(`${table}: no cell starts as a formula does`, async (t) => {
    const { text } = await written(t, table);
    for (const cell of parse(text).flat()) t.notRegex(cell, /^[=+\-@\t\r\n\0]/);
  });
}

test('every field of a row has a column, but the bytes of the hello', async (t) => {
  const { rows } = await written(t, 'handshakes');
  const [row] = rows as Rows['handshakes'][];
  const marked = new Set<string>();
  const tracked = tracker(row ?? {}, '', marked);
  for (const { value } of HANDSHAKE_COLUMNS) value(tracked as Rows['handshakes'], []);
  const missing = leaves(row ?? {}, '').filter((path) => !marked.has(path));
  t.deepEqual(
    missing,
    ['.hello.raw', '.process.sender'].filter((path) => missing.includes(path)),
  );
});

test('every hostile name comes back as it was', async (t) => {
  const { text } = await written(t, 'handshakes');
  const parsed = readBack(text, HANDSHAKE_COLUMNS as readonly Column<unknown>[]);
  const names = parsed.slice(0, HOSTILE_NAMES.length);
  for (const column of ['comm', 'exe', 'cgroup', 'server_name']) {
    t.deepEqual(
      names.map((row) => row[column]),
      [...HOSTILE_NAMES],
    );
  }
});

test('any cells are written as csv-stringify writes them, and text without a character in quotes', (t) => {
  const cell = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.stringMatching(/^[='+\-@,"\r\n\t]{0,4}$/),
    fc.integer(),
    fc.boolean(),
    fc.constant(null),
  );
  fc.assert(
    fc.property(fc.array(fc.array(cell, { minLength: 2, maxLength: 6 }), { minLength: 1 }), (rows) => {
      const written = csvText(rows);
      t.is(written.replaceAll(/(^|,)""(?=,|\n)/gm, '$1'), csvLines(rows).replaceAll(/(^|,)""(?=,|\n)/gm, '$1'));
    }),
  );
});

test('a line of the timeline becomes the same CSV from its text as from its row', (t) => {
  const renderer = csvRenderer('handshakes');
  const lineOf = handshakeCsvLine();
  let taken = 0;
  fc.assert(
    fc.property(arbitraryOf(Handshake), (value) => {
      const row = value as Handshake;
      const line = Buffer.from(JSON.stringify(row));
      const parts = lineOf(line, 0, line.length, 'utf8');
      if (parts === undefined) return;
      taken += 1;
      t.is(
        parts.map((part) => Buffer.from(part).toString()).join(''),
        String(renderer.rows({ member: 'handshakes', rows: [row], hits: null })),
      );
    }),
    { numRuns: 1000 },
  );
  t.true(taken > 100, `${taken} lines were taken`);
});

test('a report without feeds, which reads lines, is the one that reads rows', async (t) => {
  const { path } = await writeHostileSnapshot(await temporaryFolder(t));
  const snapshot = await openSnapshot(path);
  const report = new Report(snapshot, csvRenderer('handshakes'), []);
  let text = '';
  for await (const chunk of report.chunks()) text += String(chunk);
  const { text: expected, rows } = await written(t, 'handshakes');
  t.is(text, expected);
  t.is(report.summary().rows.handshakes, rows.length);
});

test('a report with feeds, which reads lines, has the hits that rows have, each in its row', async (t) => {
  const folder = await temporaryFolder(t);
  const { path } = await writeHostileSnapshot(folder, { names: [...HOSTILE_NAMES, 'c2.example', 'web.example'] });
  const snapshot = await openSnapshot(path);
  const sha256 = createHash('sha256').update('c2.example').digest('hex');
  const feeds = [feedOf('c2.example\n'), feedOf(`web.example\n${sha256}\n`)];
  const report = new Report(snapshot, csvRenderer('handshakes'), feeds);
  let text = '';
  for await (const chunk of report.chunks()) text += String(chunk);

  const renderer = csvRenderer('handshakes');
  const marks = new Marks(feeds);
  let expected = String(renderer.head());
  for await (const batch of snapshot.batches(['handshakes', 'processes'])) {
    const marked = marks.mark(batch);
    if (batch.member === 'handshakes') expected += String(renderer.rows(marked));
  }
  t.is(text, expected);
  t.deepEqual(report.summary().hits, marks.hits);
  t.deepEqual(marks.hitsOf, { handshakes: 4, processes: 1 });
  const named = parse<Record<string, string>>(text, { columns: true }).filter((row) => row['hits'] !== '');
  t.deepEqual(named.map((row) => row['server_name']).sort(), [
    'c2.example',
    'c2.example',
    'web.example',
    'web.example',
  ]);
});

function feedOf(text: string): Feed {
  const file = { sha256: '', size: text.length, packed: false, encoding: 'utf-8' };
  return { path: 'feed.txt', ...file, ...parseFeed('feed.txt', Buffer.from(text)) };
}

async function written(t: Parameters<typeof temporaryFolder>[0], table: keyof typeof TABLES) {
  const { path } = await writeHostileSnapshot(await temporaryFolder(t));
  const snapshot = await openSnapshot(path);
  const renderer = csvRenderer(table);
  const rows: unknown[] = [];
  let text = String(renderer.head());
  for await (const batch of snapshot.batches([table])) {
    rows.push(...batch.rows);
    text += String(renderer.rows({ ...batch, hits: null }));
  }
  return { rows, text };
}

/** The rule of docs/reports.md. */
function readBack(text: string, columns: readonly Column<unknown>[]): Record<string, unknown>[] {
  const types = new Map(columns.map(({ name, type }) => [name, type]));
  return parse(text, {
    columns: true,
    cast: (cell, { header, quoting, column }): unknown => {
      if (header) return cell;
      if (cell === '' && !quoting) return null;
      switch (types.get(String(column))) {
        case 'number':
          return Number(cell);
        case 'boolean':
          return cell === 'true';
        case 'json':
          return JSON.parse(cell);
        default:
          return cell.startsWith("'") ? cell.slice(1) : cell;
      }
    },
  });
}

/** A view of a row that notes which fields are looked at. */
function tracker(value: object, path: string, marked: Set<string>): object {
  return new Proxy(value, {
    get: (target, key) => {
      const inner = `${path}.${String(key)}`;
      marked.add(inner);
      const found = Reflect.get(target, key) as unknown;
      return typeof found === 'object' && found !== null && !Array.isArray(found)
        ? tracker(found, inner, marked)
        : found;
    },
  });
}

function leaves(value: object, path: string): string[] {
  return Object.entries(value).flatMap(([key, inner]: [string, unknown]) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? leaves(inner, `${path}.${key}`)
      : [`${path}.${key}`],
  );
}
