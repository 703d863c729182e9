import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { readFileSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { gzipSync } from 'node:zlib';
import test from 'ava';
import { parse } from 'csv-parse/sync';
import fc from 'fast-check';
import { TlsnapError } from '../../src/errors.js';
import { csvRows } from '../../src/intel/csv-rows.js';
import { readFeedFile } from '../../src/intel/feed-file.js';
import { loadFeed, parseFeed } from '../../src/intel/load.js';
import { parseStixPattern, StixPatternError } from '../../src/intel/stix-pattern.js';

const FEEDS = resolve(import.meta.dirname, '../../fixtures/feeds');
const fixtures = readdirSync(FEEDS).map((name) => ({ name, bytes: readFileSync(join(FEEDS, name)) }));

test('any bytes give a feed or an input error, never anything else', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
      read(Buffer.from(bytes));
    }),
  );
  t.pass();
});

for (const { name, bytes } of fixtures) {
  test(`${name} with bytes overwritten, cut or doubled gives a feed or an input error`, (t) => {
    const damage = fc.record({
      at: fc.nat(bytes.length),
      junk: fc.oneof(
        fc.uint8Array({ maxLength: 8 }),
        fc.constantFrom('\0', '"', '[[[[', '\\', '\r', '\n', '(').map((text) => Buffer.from(text)),
      ),
      drop: fc.nat(60),
    });
    fc.assert(
      fc.property(damage, ({ at, junk, drop }) => {
        read(Buffer.concat([bytes.subarray(0, at), junk, bytes.subarray(at + drop)]));
      }),
      { numRuns: 60 },
    );
    t.pass();
  });

  test(`${name} says the same in UTF-16, with a byte order mark, with CRLF and packed`, async (t) => {
    const folder = await mkdtemp(join(tmpdir(), 'tlsnap-feed-'));
    t.teardown(() => rm(folder, { recursive: true, force: true }));
    const text = bytes.toString('utf8').replaceAll('\r\n', '\n');
    const forms = {
      plain: Buffer.from(text),
      crlf: Buffer.from(text.replaceAll('\n', '\r\n')),
      bom: Buffer.from(`\ufeff${text}`),
      utf16le: Buffer.from(`\ufeff${text}`, 'utf16le'),
      utf16be: Buffer.from(`\ufeff${text}`, 'utf16le').swap16(),
      bare16: Buffer.from(text, 'utf16le'),
      packed: gzipSync(text),
    };
    const values = [];
    for (const [form, content] of Object.entries(forms)) {
      const path = join(folder, form);
      await writeFile(path, content);
      const { indicators, problemCount, format } = await loadFeed(path);
      values.push({ format, problemCount, indicators: indicators.map(({ type, value, line }) => [type, value, line]) });
    }
    for (const other of values) t.deepEqual(other, values[0]);
  });
}

test('a broken line costs only itself in every text shape', (t) => {
  const good = 'e7d705a3286e19ea42f587b344ee6865';
  const feed = read(
    Buffer.from(`${good}\nnot a hash\n${'x'.repeat(100_000)}\n6734f37431670b3ab4292b8f60f29984 \0\n${good}\n`),
  );
  t.deepEqual(
    feed?.indicators.map(({ line }) => line),
    [1, 5],
  );
  t.deepEqual(
    feed?.problems.map(({ line, text }) => [line, text.length <= 160]),
    [
      [2, true],
      [3, true],
      [4, true],
    ],
  );
});

test('a broken element of a JSON feed costs only itself, whatever is broken in it', (t) => {
  const element = (ja4: string) => `  {"application": "x", "ja4_fingerprint": "${ja4}"}`;
  const first = element('t13d1516h2_8daaf6152771_02713d6af862');
  const last = element('t13d190900_9dc949149365_97f8aa674fd9');
  for (const broken of [
    '  {"application": "x", "ja4_fingerprint": "t13d1516h2}',
    "  {'application': 'x'}",
    '  {"application": "x", "ja4_fingerprint": [[[[}',
    `  {"application": ${'['.repeat(100)}${']'.repeat(100)}}`,
    '  {"application": "x" "ja4_fingerprint": "y"}',
    '  42',
  ]) {
    const feed = read(Buffer.from(`[\n${first},\n${broken},\n${last}\n]\n`));
    t.deepEqual(
      feed?.indicators.map(({ line }) => line),
      [2, 4],
      broken,
    );
    t.deepEqual(
      feed?.problems.map(({ line }) => line),
      [3],
      broken,
    );
  }
});

// Counted by hand: what the entries that are whole above that line name.
for (const [name, line, kept] of [
  ['ja4db.json', 20, 2],
  ['misp-event.json', 70, 4],
  ['stix-bundle.json', 40, 3],
] as const) {
  test(`of ${name}, cut off at any line, what came before is kept`, (t) => {
    const text = readFileSync(join(FEEDS, name), 'utf8');
    const namesOf = (part: string) =>
      parseFeed(name, Buffer.from(part)).indicators.map((one) => `${one.line} ${one.type} ${one.value}`);
    const whole = namesOf(text);
    const lines = text.split('\n');
    // Below, too little is left to tell the shape.
    for (let end = 14; end < lines.length; end++) {
      const cut = namesOf(lines.slice(0, end).join('\n'));
      t.deepEqual(cut, whole.slice(0, cut.length), `line ${end}`);
      if (end === line) t.is(cut.length, kept);
    }
  });
}

test('a feed larger than the limit is refused while it is read, packed or not', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'tlsnap-feed-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const bomb = join(folder, 'bomb');
  const line = join(folder, 'line');
  await writeFile(bomb, gzipSync(Buffer.alloc(64 * 1024 * 1024)));
  await writeFile(line, Buffer.alloc(3 * 1024 * 1024, 'a'));
  for (const path of [bomb, line]) {
    const error = await t.throwsAsync(readFeedFile(path, 1024 * 1024), { instanceOf: TlsnapError });
    t.is(error.kind, 'input');
    t.regex(error.message, /more than 1 MiB/);
  }
  await t.throwsAsync(loadFeed('/dev/zero'), { instanceOf: TlsnapError, message: /more than 256 MiB/ });
});

test('what is no feed is refused with its reason', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'tlsnap-feed-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const cases: Record<string, [Buffer, RegExp]> = {
    empty: [Buffer.alloc(0), /is empty/],
    zip: [Buffer.from('PK\x03\x04rest'), /zip archive/],
    prose: [Buffer.from('Dear colleague,\nplease find the feed attached.\n'), /none of the feed shapes/],
    json: [Buffer.from('{"some": ["thing", "else"]}'), /none of the feed shapes/],
    gzip: [gzipSync('x'.repeat(1000)).subarray(0, 20), /gzip'd, but broken/],
  };
  for (const [name, [content, message]] of Object.entries(cases)) {
    const path = join(folder, name);
    await writeFile(path, content);
    const error = await t.throwsAsync(loadFeed(path), { instanceOf: TlsnapError, message });
    t.is(error.kind, 'input');
  }
  const missing = await t.throwsAsync(loadFeed(join(folder, 'missing')), { instanceOf: TlsnapError });
  t.is(missing.kind, 'io');
});

test('long rules without an end, or with a thousand arrows, take no time', (t) => {
  // In square time it would take so many minutes that AVA ends it.
  const text = `alert tls ${'-> '.repeat(200_000)}\n${'alert tls a -> b ('.repeat(30_000)}\n`;
  t.deepEqual([...(read(Buffer.from(text.repeat(10)))?.indicators ?? [])], []);
});

test('CSV rows are those of csv-parse', (t) => {
  const cell = fc.string({ unit: fc.constantFrom('a', ',', '"', ' ', '\n', 'ä', '#'), maxLength: 6 });
  const quoted = (text: string) => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const rows = fc.array(fc.array(cell, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(rows, (table) => {
      const text = table.map((row) => row.map(quoted).join(',')).join('\n');
      const parsed: string[][] = parse(text, { relax_column_count: true, skip_empty_lines: true });
      const expected = parsed.filter((row) => row.length > 1 || row[0] !== '');
      const broken: number[] = [];
      const ours = [...csvRows(Buffer.from(text), (line) => broken.push(line))].map(({ cells }) => [...cells]);
      t.deepEqual(broken, []);
      // Empty lines inside quotes are dropped by line reading; no known feed has any.
      if (!/\n\n/.test(text))
        t.deepEqual(
          ours.filter((row) => row.length > 1 || row[0] !== ''),
          expected,
        );
    }),
  );
});

test('a STIX pattern gives alternatives or says why not', (t) => {
  t.deepEqual(parseStixPattern("[a:b = 'x' AND (a:c = 'y' OR a:d IN ('1', 2))]"), [
    [
      { path: 'a:b', value: 'x' },
      { path: 'a:c', value: 'y' },
    ],
    [
      { path: 'a:b', value: 'x' },
      { path: 'a:d', value: '1' },
    ],
    [
      { path: 'a:b', value: 'x' },
      { path: 'a:d', value: '2' },
    ],
  ]);
  t.deepEqual(parseStixPattern("([a:b = 'it\\'s'] OR [a:c = '\\\\'])"), [
    [{ path: 'a:b', value: "it's" }],
    [{ path: 'a:c', value: '\\' }],
  ]);
  const words = fc.constantFrom(
    '[',
    ']',
    '(',
    ')',
    "a:b = 'x'",
    'AND',
    'OR',
    'NOT',
    'IN',
    "'",
    ' WITHIN 5 SECONDS',
    '!=',
    '\\',
  );
  fc.assert(
    fc.property(fc.array(words, { maxLength: 12 }), (parts) => {
      try {
        parseStixPattern(parts.join(' '));
      } catch (error) {
        if (!(error instanceof StixPatternError)) throw error;
      }
    }),
  );
  for (const deep of ['('.repeat(10_000), `[${'('.repeat(10_000)}`])
    t.throws(() => parseStixPattern(deep), { instanceOf: StixPatternError });
  const wide = `[${Array.from({ length: 20 }, (_, at) => `(a:b = '${at}' OR a:c = '${at}')`).join(' AND ')}]`;
  t.throws(() => parseStixPattern(wide), { message: /alternatives/ });
});

/** A feed, or undefined where it was refused as an input; any other error is the test's failure. */
function read(bytes: Buffer): ReturnType<typeof parseFeed> | undefined {
  try {
    return parseFeed('feed', bytes);
  } catch (error) {
    if (error instanceof TlsnapError && error.kind === 'input') return undefined;
    throw error;
  }
}
