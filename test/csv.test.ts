import test from 'ava';
import { parse } from 'csv-parse/sync';
import fc from 'fast-check';
import { csvLines } from '../src/csv.js';

// csv-parse is the independent reader; that it and csv-stringify are by one author is why RFC 4180 is checked too.

test('any text comes back by the documented rule: take one leading apostrophe off', (t) => {
  const cell = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc
      .constantFrom('=', '+', '-', '@', "'", '\t', '\r', '\n', '\0')
      .chain((first) => fc.string().map((rest) => first + rest)),
  );
  fc.assert(
    fc.property(fc.array(fc.array(cell, { minLength: 3, maxLength: 3 }), { minLength: 1 }), (rows) => {
      const back = parse(csvLines(rows), { bom: false, record_delimiter: '\n' });
      t.deepEqual(
        back.map((row) => row.map((text) => text.replace(/^'/, ''))),
        rows,
      );
      for (const text of back.flat()) t.notRegex(text, /^[=+\-@\t\r\n\0]/);
    }),
  );
});

test('quotes, commas and both ends of line are quoted, as RFC 4180 has it', (t) => {
  t.is(csvLines([['a"b', 'c,d', 'e\nf', 'g\rh', 'i j']]), '"a""b","c,d","e\nf","g\rh",i j\n');
});

test('numbers are numbers, also below zero, truth is a word, and nothing is an empty cell', (t) => {
  t.is(csvLines([[-1, 0, true, false, null, undefined, '']]), '-1,0,true,false,,,\n');
});

test('a formula, and what an apostrophe hides, gets an apostrophe', (t) => {
  t.is(csvLines([['=1+1', '@SUM(A1)', "'=1"]]), "'=1+1,'@SUM(A1),''=1\n");
});
