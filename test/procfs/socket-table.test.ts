import { SocketAddress } from 'node:net';
import test from 'ava';
import fc from 'fast-check';
import { hidepidOf, parseMountinfo } from '../../src/procfs/mountinfo.js';
import { parseSocketLine } from '../../src/procfs/socket-table.js';

const row = (local: string, remote: string, state: string, uid = 1000, inode = 4711): string =>
  `   7: ${local} ${remote} ${state} 00000000:00000000 00:00000000 00000000  ${uid}        0 ${inode} 1 0000000054a3f50e 100 0 0 10 0`;

test('an IPv4 socket is read, in the byte order of the host', (t) => {
  const expected = {
    local: { address: '127.0.0.1', port: 8080 },
    remote: { address: '192.168.1.10', port: 443 },
    state: 'ESTABLISHED',
    uid: 1000,
    inode: '4711',
  } as const;
  t.deepEqual(parseSocketLine(row('0100007F:1F90', '0A01A8C0:01BB', '01'), true), expected);
  t.deepEqual(parseSocketLine(row('7F000001:1F90', 'C0A8010A:01BB', '01'), false), expected);
});

test('a listener has no other end', (t) => {
  t.like(parseSocketLine(row('00000000:0016', '00000000:0000', '0A'), true), { remote: null, state: 'LISTEN' });
});

test("a socket that is no process's any more has neither inode nor user", (t) => {
  t.like(parseSocketLine(row('0100007F:1F90', '0100007F:01BB', '06', 0, 0), true), {
    state: 'TIME_WAIT',
    uid: null,
    inode: null,
  });
});

test('a v4-mapped address is written as IPv4', (t) => {
  const mapped = '0000000000000000FFFF00000100007F';
  t.is(parseSocketLine(row(`${mapped}:0016`, `${mapped}:0017`, '01'), true)?.local.address, '127.0.0.1');
});

// The independent source is libuv's inet_ntop, through Node's SocketAddress.
test('IPv6 addresses are written as inet_ntop writes them', (t) => {
  const group = fc.oneof(fc.constant(0), fc.nat(0xffff));
  fc.assert(
    fc.property(fc.array(group, { minLength: 8, maxLength: 8 }), (groups) => {
      // inet_ntop writes the deprecated v4-compatible form and v4-mapped addresses with dots.
      fc.pre(groups.slice(0, 5).some((value) => value !== 0));
      const bytes = Buffer.alloc(16);
      groups.forEach((value, index) => bytes.writeUInt16BE(value, index * 2));
      const full = groups.map((value) => value.toString(16)).join(':');
      const hex = bytes.swap32().toString('hex').toUpperCase();
      const expected = new SocketAddress({ address: full, family: 'ipv6' }).address;
      t.is(parseSocketLine(row(`${hex}:0001`, `${hex}:0002`, '01'), true)?.local.address, expected);
    }),
  );
});

test('the header and what is not of the form are null, never an exception', (t) => {
  t.is(
    parseSocketLine('  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode'),
    null,
  );
  t.is(parseSocketLine(row('0100007F:1F90', '0000000000000000FFFF00000100007F:0000', '01')), null);
  fc.assert(
    fc.property(fc.string(), (line) => {
      parseSocketLine(line);
      return true;
    }),
  );
});

test('mounts are read with optional fields, and names unescaped', (t) => {
  const text = `36 35 98:0 /mnt1 /mnt\\0402 rw,noatime master:1 shared:2 - ext3 /dev/root rw,errors=continue
22 27 0:21 / /proc rw,relatime - proc proc rw,hidepid=invisible
broken line
`;
  const mounts = parseMountinfo(text);
  t.is(mounts.length, 2);
  t.deepEqual(mounts[0], {
    id: 36,
    parent: 35,
    device: '98:0',
    root: '/mnt1',
    mountPoint: '/mnt 2',
    options: 'rw,noatime',
    type: 'ext3',
    source: '/dev/root',
    superOptions: 'rw,errors=continue',
  });
  t.is(hidepidOf(mounts, '/proc'), 'invisible');
  t.is(hidepidOf(mounts, '/other'), null);
  t.is(hidepidOf(parseMountinfo('22 27 0:21 / /proc rw - proc proc rw,hidepid=0\n'), '/proc'), null);
});

test('no mount table is an exception', (t) => {
  const piece = fc.constantFrom('1', ' ', ':', '-', '/', '\\040', '\\9', '\n', 'proc');
  fc.assert(
    fc.property(fc.array(piece), (pieces) => {
      parseMountinfo(pieces.join(''));
      return true;
    }),
  );
  t.pass();
});
