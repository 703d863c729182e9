import test from 'ava';
import { execa } from 'execa';
import fc from 'fast-check';
import { feedDate, ipAddress } from '../../src/intel/values.js';

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
  t.is(feedDate('2017-07-14 18:08:15 UTC'), '2017-07-14T18:08:15Z');
  t.is(feedDate('2017-07-14T18:08:15.000000+00:00'), '2017-07-14T18:08:15.000000Z');
  t.is(feedDate('2017-07-14T18:08:15-0000'), '2017-07-14T18:08:15Z');
  t.is(feedDate('2017-07-14T18:08:15+02:00'), '2017-07-14T16:08:15.000Z');
  t.is(feedDate('2017-07-14'), '2017-07-14T00:00:00Z');
  t.is(feedDate('2017-13-14 18:08:15'), null);
  t.is(feedDate('2017-07-14T25:08:15Z'), null);
});

// RFC 4291, section 2.2: these are one address. Python's ipaddress module says which are v4-mapped, and writes the others as RFC 5952 does.
test('an address of a feed is written as a snapshot writes it, whatever way the feed does', async (t) => {
  const written = [
    ...['::ffff:192.0.2.1', '::FFFF:192.0.2.1', '0:0:0:0:0:ffff:192.0.2.1', '::ffff:c000:201', '::ffff:c000:0201'],
    ...['2001:DB8:0:0:0:0:0:1', '2001:db8:0:0:1:0:0:1', '::192.0.2.1', '::', '::1', '64:ff9b::192.0.2.1', '192.0.2.1'],
  ];
  const script = [
    'import ipaddress, sys',
    'for text in sys.argv[1:]:',
    '  address = ipaddress.ip_address(text)',
    "  print(getattr(address, 'ipv4_mapped', None) or address.compressed)",
  ].join('\n');
  const { stdout } = await execa('python3', ['-c', script, ...written]);
  t.deepEqual(written.map(ipAddress), stdout.split('\n'));
  for (const none of ['192.0.2.0/24', 'fe80::1%eth0', '192.0.2.1:443', '[::1]', '1.2.3'])
    t.is(ipAddress(none), undefined);
});
