import test from 'ava';
import fc from 'fast-check';
import stringWidth from 'string-width';
import { printable, printableJson, shortened, table } from '../src/terminal.js';

test('controls, escapes, bidirectional marks and invisible characters are shown, and text is not', (t) => {
  t.is(printable('\u001b]0;x\u0007\n\u009b\u007f'), '\\x1b]0;x\\x07\\x0a\\x9b\\x7f');
  t.is(printable('a\u202eb\u200b\u2028\u{e0041}'), 'a\\u{202e}b\\u{200b}\\u{2028}\\u{e0041}');
  t.is(printable('Grüße, 日本 \\ 🦊'), 'Grüße, 日本 \\ 🦊');
});

test('JSON keeps its value, whatever it is, and has no control character but the line feed', (t) => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.string({ unit: 'binary' }), (value, text) => {
      const json = printableJson([value, text]);
      t.deepEqual(JSON.parse(json), JSON.parse(JSON.stringify([value, text])));
      t.notRegex(json, /[^\P{C}\n]/u);
    }),
  );
});

test('a table fits its width, whatever is in it, and shows all where there is room', (t) => {
  const rows = fc.array(fc.tuple(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'binary' }), fc.nat()));
  fc.assert(
    fc.property(rows, fc.integer({ min: 40, max: 120 }), (cells, width) => {
      const lines = table(['name', 'text', 'number'], cells, { width, color: false }).split('\n');
      t.is(lines.length, cells.length + 1);
      for (const line of lines) t.true(stringWidth(line) <= width, line);
    }),
  );
  t.is(
    table(['name', 'n'], [['x'.repeat(200), null]], { color: false, width: Infinity }),
    `name${' '.repeat(198)}n\n${'x'.repeat(200)}  -`,
  );
});

test('a table without rows has its head, and colours only where they are asked for', (t) => {
  t.is(table(['a', 'b'], [], { color: false }), 'a  b');
  t.true(table(['a', 'b'], [], { color: true }).includes('\u001b['));
});

test('a cell of a megabyte is as wide as its characters', (t) => {
  const long = '=\u001b漢'.repeat(200_000);
  const [head = '', row = ''] = table(['name', 'x'], [[long, 'y']], { width: Infinity, color: false }).split('\n');
  // One column for the sign, four for the escape, two for the character; two between the table's columns.
  t.is(head.length, 7 * 200_000 + 3);
  t.is(row.length, 6 * 200_000 + 3);
  t.is(shortened('=漢'.repeat(200_000), 8), '=漢=漢=…');
});
