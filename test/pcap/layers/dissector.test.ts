import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import fc from 'fast-check';
import { CapturedPacket, secondsClock } from '../../../src/pcap/file/captured-packet.js';
import { Dissector, PROTOCOL } from '../../../src/pcap/layers/dissector.js';
import { testUnless } from '../../left-out.js';
import { packetsOf, pcapOf, rowsOf } from '../captures.js';
import { readFixture, reasonAgainstTshark, tsharkFields } from '../tshark.js';
import * as wraps from './encapsulation.js';

const ETHERNET = 1;
const PACKETS = packetsOf(readFixture('clients.pcapng')).map(({ bytes }) => wraps.withChecksums(bytes.subarray(14)));
const PLAIN = rowsOf(pcapOf(ETHERNET, PACKETS.map(wraps.ethernet)));

const CASES: readonly (readonly [string, number, wraps.Wrap])[] = [
  ['Ethernet', ETHERNET, wraps.ethernet],
  ['a VLAN tag', ETHERNET, wraps.vlan],
  ['two VLAN tags', ETHERNET, wraps.qinq],
  ['LLC/SNAP', ETHERNET, wraps.snap],
  ['PPPoE', ETHERNET, wraps.pppoe],
  ['MPLS', ETHERNET, wraps.mpls],
  ['raw IP', 101, wraps.raw],
  ['Linux cooked v1', 113, wraps.cooked],
  ['Linux cooked v2', 276, wraps.cooked2],
  ['null, little-endian', 0, wraps.nullLittle],
  ['null, big-endian', 0, wraps.nullBig],
  ['loopback', 108, wraps.nullBig],
  ['IP in IP and 6in4', ETHERNET, wraps.ipInIp],
  ['IP in IPv6', ETHERNET, wraps.ipInIpv6],
  ['GRE', ETHERNET, wraps.gre],
  ['GRE with checksum, key and sequence', ETHERNET, wraps.greWithAll],
  ['NVGRE', ETHERNET, wraps.nvgre],
  ['ERSPAN I', ETHERNET, wraps.erspan1],
  ['ERSPAN II', ETHERNET, wraps.erspan2],
  ['ERSPAN III', ETHERNET, wraps.erspan3],
  ['VXLAN', ETHERNET, wraps.vxlan],
  ['VXLAN with group policy', ETHERNET, wraps.vxlanGroupPolicy],
  ['GTP-U', ETHERNET, wraps.gtp],
  ['GTP-U with a sequence number and an extension header', ETHERNET, wraps.gtpWithAll],
  ['an authentication header in IPv4', ETHERNET, wraps.authentication4],
  ['Geneve with an option', ETHERNET, wraps.geneve],
  ['IPv6 extension headers', ETHERNET, wraps.extensionHeaders],
  ['VXLAN in GRE in IP in IP', ETHERNET, (ip) => wraps.ipInIp(wraps.gre(wraps.vxlan(ip).subarray(14)).subarray(14))],
];

for (const [name, linkType, wrap] of CASES) {
  test(`${name}: the same hellos are found as without`, (t) => {
    t.true(PLAIN.length === 14);
    t.deepEqual(rowsOf(pcapOf(linkType, PACKETS.map(wrap))), PLAIN);
  });

  testUnless(reasonAgainstTshark(), `${name}: tshark finds the same hellos in these packets`, async (t) => {
    const folder = await mkdtemp(join(tmpdir(), 'tlsnap-wrap-'));
    t.teardown(() => rm(folder, { recursive: true }));
    const file = join(folder, 'capture');
    await writeFile(file, pcapOf(linkType, PACKETS.map(wrap)));
    const read = await tsharkFields(file, 'tls.handshake.random', ['tls.handshake.random', 'tls.handshake.ja3']);
    t.deepEqual(
      read.map((packet) => [packet['tls.handshake.random']?.[0], packet['tls.handshake.ja3']?.[0] ?? null]),
      PLAIN.map(({ hello, fingerprints }) => [
        Buffer.from(hello.raw, 'base64').toString('hex', 6, 38),
        fingerprints?.ja3 ?? null,
      ]),
    );
  });
}

test('the BSD link types for raw IP and those for one version mean the same', (t) => {
  for (const linkType of [12, 14]) t.is(rowsOf(pcapOf(linkType, PACKETS)).length, 14);
  t.is(
    rowsOf(
      pcapOf(
        228,
        PACKETS.filter((ip) => ip.readUInt8(0) >> 4 === 4),
      ),
    ).length,
    12,
  );
  t.is(
    rowsOf(
      pcapOf(
        229,
        PACKETS.filter((ip) => ip.readUInt8(0) >> 4 === 6),
      ),
    ).length,
    2,
  );
});

test('fragments in any order, twice, and mixed with those of other packets become whole', (t) => {
  fc.assert(
    fc.property(fc.infiniteStream(fc.nat()), fc.constantFrom(8, 64, 256), (choices, size) => {
      const shuffled = PACKETS.flatMap((ip, index) => {
        const pieces = wraps.fragments(ip, size, index + 1);
        const twice = [...pieces, ...pieces.slice(0, pieces.length > 1 ? -1 : 0)];
        return twice.sort(() => ((choices.next().value ?? 0) % 2) - 0.5);
      });
      // A packet that is complete once is complete; a late duplicate begins another that never is.
      const found = rowsOf(pcapOf(101, shuffled));
      t.deepEqual(
        found.map(({ hello }) => hello.raw),
        PLAIN.map(({ hello }) => hello.raw),
      );
    }),
    { numRuns: 20 },
  );
});

test('where two fragments disagree, the one that came first is kept', (t) => {
  const isHello = (ip: Buffer): boolean => ip.readUInt8(0) >> 4 === 4 && ip.length > 300;
  const packets = PACKETS.flatMap((ip, index) => {
    const pieces = isHello(ip) ? wraps.fragments(ip, 64, index + 1) : [ip];
    // The liar comes behind the second piece and claims its place.
    const liars = pieces.slice(1, 2).map((piece) => Buffer.from(piece).fill(0xff, 20));
    return [...pieces.slice(0, 2), ...liars, ...pieces.slice(2)];
  });
  t.true(packets.length > PACKETS.length + 20);
  t.deepEqual(
    rowsOf(pcapOf(101, packets)).map(({ hello }) => hello.raw),
    PLAIN.map(({ hello }) => hello.raw),
  );
});

test('the memory for fragments is bounded, and what had to go is counted', (t) => {
  const dissector = new Dissector();
  const [ip = Buffer.alloc(0)] = PACKETS.filter((packet) => packet.length > 400);
  for (let id = 1; id <= 3000; id++) {
    const [fragment = Buffer.alloc(0)] = wraps.fragments(ip, 64, id);
    dissect(dissector, 101, fragment);
  }
  t.is(dissector.fragments.size, 1024);
  t.is(dissector.fragments.dropped, 3000 - 1024);
});

test('fragments of a minute later are those of another packet, though they have the same number', (t) => {
  const [ip = Buffer.alloc(0)] = PACKETS.filter((packet) => packet.length > 400);
  const [first = Buffer.alloc(0), ...rest] = wraps.fragments(ip, 64, 7);
  const ends = (seconds: number): number[] => {
    const dissector = new Dissector();
    const found = [
      ...rest.map((fragment) => dissect(dissector, 101, fragment)),
      dissect(dissector, 101, first, seconds),
    ];
    return [found.at(-1) ?? 0, dissector.fragments.dropped];
  };
  t.deepEqual(ends(60), [PROTOCOL.tcp, 0]);
  t.deepEqual(ends(61), [PROTOCOL.none, 1]);
});

test('what the snap length left of a packet says whether more was sent', (t) => {
  const [ip = Buffer.alloc(0)] = PACKETS.filter((packet) => packet.length > 400);
  const dissector = new Dissector();
  t.is(dissect(dissector, 101, ip), PROTOCOL.tcp);
  t.false(dissector.isCut);
  t.is(dissect(dissector, 101, ip.subarray(0, 300)), PROTOCOL.tcp);
  t.true(dissector.isCut);
  t.is(dissector.cutShort, 0);
  t.is(dissect(dissector, 101, ip.subarray(0, 30)), PROTOCOL.none);
  t.is(dissector.cutShort, 1);
  const [fragment = Buffer.alloc(0)] = wraps.fragments(ip, 64, 7);
  t.is(dissect(dissector, 101, fragment.subarray(0, 70)), PROTOCOL.none);
  t.is(dissector.cutShort, 2);
});

test('encapsulation in encapsulation without end is given up and counted', (t) => {
  let packet = PACKETS[0] ?? Buffer.alloc(0);
  for (let depth = 0; depth < 40; depth++) packet = wraps.ipInIp(packet).subarray(14);
  const dissector = new Dissector();
  t.is(dissect(dissector, 101, packet), PROTOCOL.none);
  t.is(dissector.tooDeep, 1);
});

test('link types that are not understood are counted, up to a bound', (t) => {
  const dissector = new Dissector();
  for (let linkType = 1000; linkType < 1200; linkType++) dissect(dissector, linkType, Buffer.alloc(60));
  t.is(dissector.unknownLinkTypes.size, 64);
  t.is(dissector.unknownLinkTypes.get(1000), 1);
});

test('whatever the bytes, what is found lies within the packet', (t) => {
  const within = (linkType: number, bytes: Buffer): void => {
    const dissector = new Dissector();
    const protocol = dissect(dissector, linkType, bytes);
    if (protocol === PROTOCOL.none) return;
    t.true(dissector.offset <= dissector.end && dissector.end <= dissector.buffer.length);
    t.true(dissector.source + (dissector.family === 4 ? 4 : 16) <= dissector.buffer.length);
  };
  const linkTypes = fc.constantFrom(0, 1, 12, 101, 108, 113, 228, 229, 276);
  fc.assert(
    fc.property(linkTypes, fc.uint8Array({ maxLength: 200 }), (type, bytes) => within(type, Buffer.from(bytes))),
    { numRuns: 2000 },
  );
  const wrapped = CASES.flatMap(([, linkType, wrap]) =>
    PACKETS.slice(0, 30).map((ip) => [linkType, wrap(ip)] as const),
  );
  fc.assert(
    fc.property(
      fc.constantFrom(...wrapped),
      fc.nat(120),
      fc.integer({ min: 1, max: 255 }),
      fc.nat(400),
      ([type, packet], at, mask, length) => {
        const damaged = Buffer.from(packet.subarray(0, length));
        if (at < damaged.length) damaged[at] = (damaged[at] ?? 0) ^ mask;
        within(type, damaged);
      },
    ),
    { numRuns: 5000 },
  );
});

function dissect(dissector: Dissector, linkType: number, bytes: Buffer, timeHigh = 0): number {
  const packet = new CapturedPacket();
  Object.assign(packet, { buffer: bytes, start: 0, end: bytes.length, linkType, clock: secondsClock(1000), timeHigh });
  return dissector.dissect(packet);
}
