import test from 'ava';
import fc from 'fast-check';
import { hostStrings, hostText, textFields } from '../../src/procfs/text.js';

const bytes = fc.uint8Array({ maxLength: 64 }).map((array) => Buffer.from(array));

test('valid UTF-8 needs no raw form, whatever control characters it holds', (t) => {
  t.deepEqual(hostText(Buffer.from('a\x1b[31m\n"é')), { text: 'a\x1b[31m\n"é' });
});

test('what is not UTF-8 is kept in base64 beside a replacement', (t) => {
  t.deepEqual(hostText(Buffer.from([0x61, 0xff])), { text: 'a�', raw: 'Yf8=' });
});

test('a genuine U+FFFD is exact', (t) => {
  t.deepEqual(hostText(Buffer.from('�')), { text: '�' });
});

test('the bytes can always be had back from text and raw', (t) => {
  fc.assert(
    fc.property(bytes, (input) => {
      const { text, raw } = hostText(input);
      t.deepEqual(raw === undefined ? Buffer.from(text) : Buffer.from(raw, 'base64'), input);
    }),
  );
});

test('arguments are split at NULs, empty ones included', (t) => {
  t.deepEqual(hostStrings(Buffer.from('a\0\0b c\0')), { values: ['a', '', 'b c'] });
  t.deepEqual(hostStrings(Buffer.alloc(0)), { values: [] });
  t.deepEqual(hostStrings(Buffer.from('\0')), { values: [''] });
});

test('a title written over the arguments is one value, with the bytes beside it', (t) => {
  const title = Buffer.from('nginx: master process\0\0\0\0');
  t.deepEqual(hostStrings(title), { values: ['nginx: master process'], raw: title.toString('base64') });
  const unended = Buffer.from('no end');
  t.deepEqual(hostStrings(unended), { values: ['no end'], raw: unended.toString('base64') });
});

test('the bytes can always be had back from values and raw', (t) => {
  fc.assert(
    fc.property(bytes, (input) => {
      const { values, raw } = hostStrings(input);
      const again = Buffer.from(values.map((value) => `${value}\0`).join(''));
      t.deepEqual(raw === undefined ? again : Buffer.from(raw, 'base64'), input);
    }),
  );
});

test('a row gets a Raw sibling only where it is needed', (t) => {
  t.deepEqual(textFields('comm', Buffer.from('a')), { comm: 'a' });
  t.deepEqual(textFields('comm', Buffer.from([0xff])), { comm: '�', commRaw: '/w==' });
  t.deepEqual(textFields('comm', null), { comm: null });
});
