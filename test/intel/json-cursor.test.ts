import test from 'ava';
import fc from 'fast-check';
import { JsonCursor, JsonFault } from '../../src/intel/json-cursor.js';

// The cursor that walks feeds in JSON, against JSON.parse.

test('it gives what JSON.parse gives, with the line of each element', (t) => {
  fc.assert(
    fc.property(
      fc.array(fc.jsonValue({ maxDepth: 4, stringUnit: 'binary' }), { maxLength: 8 }),
      fc.constantFrom(undefined, 2),
      (values, indent) => {
        const text = JSON.stringify(values, null, indent);
        const seen: unknown[] = [];
        const lines: number[] = [];
        const cursor = new JsonCursor(Buffer.from(text));
        for (const element of cursor.elements()) {
          lines.push(element.line);
          seen.push(element.value());
        }
        t.is(cursor.kind(), 'end');
        t.deepEqual(seen, JSON.parse(text));
        t.true(lines.every((line, at) => line >= (lines[at - 1] ?? 1)));
      },
    ),
  );
});

test('entries that look alike are read alike, whatever stands in them, each with its line', (t) => {
  const text = fc.oneof(fc.string({ unit: 'binary', maxLength: 9 }), fc.constantFrom('},{', '},\n {', '"},{"', '\\'));
  const entry = fc.record({ value: text, tags: fc.array(fc.record({ name: text }), { maxLength: 3 }) });
  fc.assert(
    fc.property(fc.array(entry, { maxLength: 40 }), fc.constantFrom(undefined, 1, 4), (entries, indent) => {
      const texts = entries.map((one) => JSON.stringify(one, null, indent));
      let line = indent === undefined ? 1 : 2;
      const expected = texts.map((one, at) => {
        const startsIn = line;
        line += one.split('\n').length - (indent === undefined ? 1 : 0);
        return [startsIn, entries[at]];
      });
      t.deepEqual(entriesByCursor(JSON.stringify(entries, null, indent)), expected);
    }),
    { numRuns: 500 },
  );
});

test('an entry that is broken among others that look alike costs only itself', (t) => {
  const nested = (depth: number): string => `{"id":0,"in":${'['.repeat(depth)}${']'.repeat(depth)}}`;
  const broken = new Map([
    [5, '{"id":5,}'],
    [9, '{"id":"9}'],
    [14, '{"id":14'],
    [20, nested(64)],
    [30, '{"id":30 "is":0}'],
  ]);
  const lines = Array.from({ length: 40 }, (_, at) => broken.get(at) ?? (at === 10 ? nested(63) : `{"id":${at}}`));
  const faults = entriesByCursor(`[\n${lines.join(',\n')}\n]`).filter(([, entry]) => typeof entry === 'string');
  t.deepEqual(faults, [
    [7, 'is not valid JSON'],
    [11, 'a string does not end'],
    [16, 'nested deeper than 64'],
    [22, 'nested deeper than 64'],
    [32, 'is not valid JSON'],
  ]);
});

test('a comma that is missing between two entries costs none of them', (t) => {
  const feed = (separators: string[]): string =>
    `[{"id":0}${separators.map((one, at) => `${one}{"id":${at + 1}}`).join('')}]`;
  const ids = [0, 1, 2, 3, 4].map((id) => ({ id }));
  const inLines = entriesByCursor(feed([',\n', '\n', ',\n', '\n']));
  const fault = "',' or ']' is missing";
  t.deepEqual(inLines, [
    [1, ids[0]],
    [2, ids[1]],
    [3, fault],
    [3, ids[2]],
    [4, ids[3]],
    [5, fault],
    [5, ids[4]],
  ]);
  t.deepEqual(
    entriesByCursor(feed([',', '', ',', ','])).map(([, entry]) => entry),
    [ids[0], ids[1], fault, ...ids.slice(2)],
  );
});

/** Each entry of an array with its line; what is wrong with it, where it is broken. */
function entriesByCursor(text: string): [line: number, entry: unknown][] {
  const seen: [number, unknown][] = [];
  const tell = ({ line, message }: JsonFault): unknown => seen.push([line, message]);
  for (const element of new JsonCursor(Buffer.from(text)).elements(tell)) {
    const { line } = element;
    try {
      seen.push([line, element.value()]);
    } catch (fault) {
      if (!(fault instanceof JsonFault)) throw fault;
      tell(fault);
    }
  }
  return seen;
}

test('it ends values where their brackets and quotes do, and stops with the line where these do not', (t) => {
  const piece = fc.constantFrom(
    ...[
      '{',
      '}',
      '[',
      ']',
      ',',
      ':',
      ' ',
      '\n',
      '\r\n',
      '"',
      '"a"',
      '"\\"',
      '"\\\\"',
      '"\\u00e9"',
      '\\',
      '12',
      'null',
      'é',
      '["',
    ],
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
      const text = pieces.join('');
      t.deepEqual(valuesByCursor(text), valuesByToken(text), JSON.stringify(text));
    }),
    { numRuns: 2000 },
  );
});

test('it reads on behind an entry of any size, and knows its line', (t) => {
  const sizes = [10, 700_000, 60_000, 400_000, 1_500_000, 64 * 1024, 3_000_000, 5];
  const entries = sizes.map((size, at) => ({ at, pad: `${at % 2 === 0 ? '"' : 'ä'}${'x'.repeat(size)}` }));
  const cursor = new JsonCursor(Buffer.from(JSON.stringify(entries, null, 1)));
  const seen: unknown[] = [];
  for (const element of cursor.elements()) {
    const { line } = element;
    try {
      const { at, pad } = element.value() as { at: number; pad: string };
      seen.push([line, at, pad === entries[at]?.pad]);
    } catch (error) {
      if (!(error instanceof JsonFault)) throw error;
      seen.push([error.line, error.message]);
    }
  }
  const large = 'the entry is larger than 1048576 bytes';
  t.deepEqual(
    seen,
    sizes.map((size, at) => (size > 1_048_576 ? [2 + 4 * at, large] : [2 + 4 * at, at, true])),
  );
  t.is(cursor.kind(), 'end');
});

test('a string that never ends is looked for once in a feed of one line', (t) => {
  // For each value it would take hours, and AVA ends that.
  const text = `[${'{"a":1},'.repeat(300_000)}{"a":"${'x'.repeat(3_000_000)}`;
  const faults: string[] = [];
  const cursor = new JsonCursor(Buffer.from(text));
  for (const element of cursor.elements()) {
    try {
      element.value();
    } catch (error) {
      if (!(error instanceof JsonFault)) throw error;
      faults.push(error.message);
      break;
    }
  }
  t.deepEqual(faults, ['a string does not end']);
});

/** The lines where values start, and the fault that ends them. */
interface ValueLines {
  readonly starts: number[];
  fault: string | null;
}

function valuesByCursor(text: string): ValueLines {
  const found: ValueLines = { starts: [], fault: null };
  const cursor = new JsonCursor(Buffer.from(text));
  try {
    while (cursor.kind() !== 'end') {
      found.starts.push(cursor.line);
      cursor.skip();
    }
  } catch (error) {
    if (!(error instanceof JsonFault)) throw error;
    found.fault = `${error.line}: ${error.message}`;
  }
  return found;
}

/** The same, token by token. */
function valuesByToken(text: string): ValueLines {
  const found: ValueLines = { starts: [], fault: null };
  const token = /[ \t\r]+|(\n)|("(?:[^"\\\n]|\\[^\n])*")|([[{])|([\]}])|([,:])|([-+.0-9a-zA-Z]+)|(")|[^]/y;
  let line = 1;
  let depth = 0;
  for (let match = token.exec(text); match; match = token.exec(text)) {
    const [, newline, string, open, close, comma, scalar, quote] = match;
    if (newline !== undefined) line++;
    if (newline !== undefined || /^\s/.test(match[0])) continue;
    if (depth === 0) found.starts.push(line);
    if (open !== undefined) depth++;
    else if (close !== undefined && depth > 0) depth--;
    else if ((comma === undefined || depth === 0) && string === undefined && scalar === undefined) {
      const reason = quote === undefined ? 'a character that JSON does not know' : 'a string does not end';
      const missing = close !== undefined || comma !== undefined;
      return { ...found, fault: `${line}: ${missing ? 'a value is missing' : reason}` };
    }
  }
  return depth > 0 ? { ...found, fault: `${line}: the text ends inside an entry` } : found;
}

test('it raises nothing but faults', (t) => {
  const text = fc.string({
    unit: fc.constantFrom('{', '}', '[', ']', '"', ':', ',', '\\', 'a', '1', ' ', '\n'),
    maxLength: 40,
  });
  fc.assert(
    fc.property(text, (junk) => {
      const cursor = new JsonCursor(Buffer.from(`[${junk}`));
      try {
        for (const element of cursor.elements()) {
          try {
            element.value();
          } catch (error) {
            if (!(error instanceof JsonFault)) throw error;
          }
        }
      } catch (error) {
        if (!(error instanceof JsonFault)) throw error;
      }
    }),
  );
  t.pass();
});
