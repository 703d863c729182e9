import test from 'ava';
import { oldestKeys } from '../src/oldest.js';

test('one key in 64 is given, those added first, and at least one', (t) => {
  const map = new Map(Array.from({ length: 256 }, (_, at) => [`key ${at}`, at]));
  t.deepEqual(oldestKeys(map), ['key 0', 'key 1', 'key 2', 'key 3']);
  map.delete('key 1');
  map.set('key 0', 256);
  t.deepEqual(oldestKeys(map), ['key 0', 'key 2', 'key 3']);
  t.deepEqual(oldestKeys(new Map([['only', 1]])), ['only']);
  t.deepEqual(oldestKeys(new Map()), []);
});
