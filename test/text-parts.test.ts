import test from 'ava';
import fc from 'fast-check';
import { TextBytes } from '../src/text-parts.js';

// Buffer.from and Buffer.concat say what the bytes are.

test('parts are behind each other in UTF-8, however little room there was to begin with', (t) => {
  const part = fc.oneof(fc.string({ unit: 'binary', maxLength: 40 }), fc.uint8Array({ maxLength: 40 }));
  fc.assert(
    fc.property(fc.array(fc.array(part, { maxLength: 6 }), { maxLength: 20 }), fc.nat({ max: 64 }), (lists, room) => {
      const text = new TextBytes(room);
      for (const parts of lists) text.add(parts);
      t.deepEqual(text.bytes(), Buffer.concat(lists.flat().map((one) => Buffer.from(one as string))));
    }),
  );
});
