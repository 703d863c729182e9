import test from 'ava';
import fc from 'fast-check';
import { feedDate } from '../../src/intel/values.js';

test('Unix seconds of a feed are the date that they are', (t) => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 99_999_999_999 }), (seconds) => {
      const expected = new Date(seconds * 1000).toISOString().replace('.000Z', 'Z');
      t.is(feedDate(seconds), expected);
      if (seconds >= 100_000_000) t.is(feedDate(String(seconds)), expected);
    }),
  );
  t.is(feedDate(1_558_483_200.5), '2019-05-22T00:00:00.500Z');
  t.is(feedDate(0), null);
});

test('a date is RFC 3339 in UTC whatever it is written as, with its own fraction of a second', (t) => {
  t.is(feedDate('2017-07-14 18:08:15'), '2017-07-14T18:08:15Z');
  t.is(feedDate('2017-07-14T18:08:15.123456Z'), '2017-07-14T18:08:15.123456Z');
  t.is(feedDate('2017-07-14 18:08:15Z'), '2017-07-14T18:08:15Z');
  t.is(feedDate('2017-07-14T18:08:15.000000+00:00'), '2017-07-14T18:08:15.000000Z');
  t.is(feedDate('2017-07-14T18:08:15-0000'), '2017-07-14T18:08:15Z');
  t.is(feedDate('2017-07-14T18:08:15+02:00'), '2017-07-14T16:08:15.000Z');
  t.is(feedDate('2017-07-14'), '2017-07-14T00:00:00Z');
  t.is(feedDate('2017-13-14 18:08:15'), null);
  t.is(feedDate('2017-07-14T25:08:15Z'), null);
});
