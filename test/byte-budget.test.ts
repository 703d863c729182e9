import fc from 'fast-check';
import test from 'ava';
import { fitted } from '../src/byte-budget.js';

test('what fits is left as it is', (t) => {
  const row = { list: ['é', 'b'], listRaw: 'x', errors: [] };
  const json = JSON.stringify(row);
  t.deepEqual(fitted(row, Buffer.byteLength(json)), { row, json, cut: [] });
});

test('the longest list loses its last items, and that is told', (t) => {
  const row = {
    short: ['a', 'b'],
    long: ['1'.repeat(50), '2'.repeat(50), '3'.repeat(50)],
    longRaw: 'bytes',
    errors: [],
  };
  const fit = fitted(row, 215);
  t.deepEqual(fit?.row as unknown, {
    short: ['a', 'b'],
    long: ['1'.repeat(50), '2'.repeat(50)],
    errors: [{ field: 'long', code: 'TRUNCATED' }],
  });
  t.deepEqual(fit?.cut, ['long']);
  t.is(row.long.length, 3, 'the object itself stays');
});

test('a list within an object is told by its path, and one object more than all items is not too much', (t) => {
  const row = { modules: { loaded: [{ name: 'm'.repeat(300) }, { name: 'n' }] }, errors: [] };
  const fit = fitted(row, 200);
  t.deepEqual(fit?.row as unknown, {
    modules: { loaded: [] },
    errors: [{ field: 'modules.loaded', code: 'TRUNCATED' }],
  });
});

test('an object that is too long without its lists is none', (t) => {
  t.is(fitted({ text: 'x'.repeat(100), list: ['y'] }, 100), null);
});

test('whatever the lists hold, the JSON is within its bytes, and keeps the first items', (t) => {
  const items = fc.array(fc.string({ unit: 'binary', maxLength: 20 }), { maxLength: 30 });
  fc.assert(
    fc.property(items, items, items, fc.integer({ min: 200, max: 900 }), (a, b, c, bytes) => {
      const row = { a, inner: { b, c }, errors: [] as object[] };
      const fit = fitted(row, bytes);
      if (!fit) return t.fail();
      t.true(Buffer.byteLength(fit.json) <= bytes);
      t.is(fit.json, JSON.stringify(fit.row));
      t.is(fit.row.errors.length, fit.cut.length);
      for (const [path, before, after] of [
        ['a', a, fit.row.a],
        ['inner.b', b, fit.row.inner.b],
        ['inner.c', c, fit.row.inner.c],
      ] as const) {
        t.deepEqual(after, before.slice(0, after.length));
        t.is(after.length < before.length, fit.cut.includes(path));
      }
    }),
  );
});
