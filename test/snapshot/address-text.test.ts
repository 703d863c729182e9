import test from 'ava';
import fc from 'fast-check';
import { execa } from 'execa';
import { formatAddress, formatIpv4, parseAddress } from '../../src/snapshot/address-text.js';
import { reasonAgainstCommands, testUnless } from '../left-out.js';

test('v4-mapped addresses are written as IPv4', (t) => {
  t.is(formatAddress(Buffer.from('00000000000000000000ffff7f000001', 'hex')), '127.0.0.1');
  t.is(formatIpv4(0xc0a80001), '192.168.0.1');
});

testUnless(
  reasonAgainstCommands('python3'),
  "texts are those of Python's ipaddress, which follows RFC 5952",
  async (t) => {
    const samples = fc.sample(
      fc.array(fc.oneof(fc.constant(0), fc.constant(0), fc.nat(0xffff)), { minLength: 8, maxLength: 8 }),
      300,
    );
    // Mapped IPv4 has its own test: Python 3.11 writes it in groups.
    const addresses = samples
      .filter((groups) => groups.slice(0, 6).join() !== '0,0,0,0,0,65535')
      .map((groups) => Buffer.from(groups.flatMap((group) => [group >> 8, group & 0xff])));
    const script =
      'import sys, ipaddress\nfor line in sys.stdin: print(ipaddress.IPv6Address(bytes.fromhex(line.strip())))';
    const { stdout } = await execa('python3', ['-c', script], {
      input: addresses.map((address) => address.toString('hex')).join('\n'),
    });
    t.deepEqual(addresses.map(formatAddress), stdout.split('\n'));
    for (const address of addresses) t.deepEqual(Buffer.from(parseAddress(formatAddress(address)) ?? []), address);
  },
);

test('what is no address is none, and the other forms of IPv6 are understood', (t) => {
  for (const text of ['', 'nowhere', '1.2.3', '1::2::3', '300.1.1.1']) t.is(parseAddress(text), null);
  t.deepEqual(Buffer.from(parseAddress('::ffff:1.2.3.4') ?? []).toString('hex'), '00000000000000000000ffff01020304');
  t.deepEqual(Buffer.from(parseAddress('fe80::1%eth0') ?? []).toString('hex'), 'fe800000000000000000000000000001');
});
