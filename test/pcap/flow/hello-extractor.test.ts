import test from 'ava';
import fc from 'fast-check';
import { CapturedPacket } from '../../../src/pcap/file/captured-packet.js';
import { HelloExtractor } from '../../../src/pcap/flow/hello-extractor.js';
import type { CapturedHello } from '../../../src/pcap/hello/captured-hello.js';
import { essence, extract, packetsOf, pcapOf } from '../captures.js';
import { readFixture } from '../tshark.js';
import { helloRecord, Wire } from './segments.js';

const CLIENT = helloRecord(1);
const SERVER = helloRecord(2);
const BOTH = [`client true ${CLIENT.toString('hex', 5)}`, `server true ${SERVER.toString('hex', 5)}`];

test('hellos are found however the segments are cut, mixed, repeated and overlapped', (t) => {
  const wire = new Wire();
  const cutAndMixed = fc.record({
    cuts: fc.uniqueArray(fc.integer({ min: 1, max: CLIENT.length - 1 }), { maxLength: 8 }),
    order: fc.infiniteStream(fc.nat()),
    overlap: fc.nat(20),
    repeat: fc.boolean(),
    whole: fc.boolean(),
  });
  fc.assert(
    fc.property(cutAndMixed, cutAndMixed, (client, server) => {
      const segments = (
        from: 'client' | 'server',
        bytes: Buffer,
        { cuts, order, overlap, repeat }: typeof client,
      ): Buffer[] => {
        const edges = [0, ...cuts.sort((a, b) => a - b), bytes.length];
        const cut = edges.slice(1).map((end, index) => {
          const start = Math.max(0, (edges[index] ?? 0) - overlap);
          return wire.data(from, start, bytes.subarray(start, end));
        });
        return [...cut, ...(repeat ? cut : [])].sort(() => ((order.next().value ?? 0) % 2) - 0.5);
      };
      const packets = [
        wire.syn(),
        wire.synAck(),
        ...segments('client', CLIENT, client),
        ...segments('server', SERVER, server),
      ];
      t.deepEqual(found(packets).sort(), BOTH);
    }),
    { numRuns: 300 },
  );
});

test('byte by byte gives what whole segments give', (t) => {
  const wire = new Wire();
  const bytes = (from: 'client' | 'server', stream: Buffer): Buffer[] =>
    [...stream].map((byte, at) => wire.data(from, at, Uint8Array.of(byte)));
  t.deepEqual(found([wire.syn(), wire.synAck(), ...bytes('client', CLIENT), ...bytes('server', SERVER)]), BOTH);
});

test('sequence numbers that wrap inside the hello are no hindrance', (t) => {
  const wire = new Wire(50_000, 0xffff_ffff - 100, 0xffff_ffff);
  const packets = [
    wire.syn(),
    wire.synAck(),
    wire.data('client', 0, CLIENT.subarray(0, 150)),
    wire.data('client', 150, CLIENT.subarray(150)),
    wire.data('server', 0, SERVER),
  ];
  t.deepEqual(found(packets), BOTH);
});

test('a capture that begins after the SYN has the hellos, and does not say where in the stream they stand', (t) => {
  const wire = new Wire();
  const hellos = collect([wire.data('client', 5000, CLIENT), wire.data('server', 7000, SERVER)]);
  t.deepEqual(hellos.map(essence), BOTH);
  t.deepEqual(
    hellos.map(({ streamOffset }) => streamOffset),
    [null, null],
  );
});

test('data on the SYN is data (TCP Fast Open), and its repetition afterwards is the same hello', (t) => {
  const wire = new Wire();
  t.deepEqual(
    found([wire.syn(CLIENT), wire.synAck(), wire.data('client', 0, CLIENT), wire.data('server', 0, SERVER)]),
    BOTH,
  );
});

test('the same ports used again are another connection', (t) => {
  const [first, second] = [new Wire(), new Wire(50_000, 77_777, 88_888)];
  const connection = (wire: Wire): Buffer[] => [
    wire.syn(),
    wire.synAck(),
    wire.data('client', 0, CLIENT),
    wire.data('server', 0, SERVER),
  ];
  t.deepEqual(found([...connection(first), ...connection(second)]), [...BOTH, ...BOTH]);
});

test('the same ports used again are another connection, whatever of it and of the one before was captured', (t) => {
  // An initial sequence number may be below the one before as well as above it (RFC 6528).
  for (const [clientIsn, serverIsn] of [
    [77_777, 88_888],
    [0xe000_0000, 0xd000_0000],
  ] as const) {
    const [first, second] = [new Wire(50_000, 0xa000_0000, 0xb000_0000), new Wire(50_000, clientIsn, serverIsn)];
    const hellos = (wire: Wire): Buffer[] => [wire.data('client', 0, CLIENT), wire.data('server', 0, SERVER)];
    const encrypted = [
      first.data('client', 9000, Buffer.alloc(500, 0x17)),
      first.data('server', 9000, Buffer.alloc(500, 0x17)),
    ];
    const opened = [second.syn(), second.synAck(), ...hellos(second)];
    t.deepEqual(found([...encrypted, ...opened]), BOTH, 'the first one begins before the capture');
    t.deepEqual(
      collect([...encrypted, ...opened]).map(({ streamOffset }) => streamOffset),
      [0, 0],
    );
    const whole = [first.syn(), first.synAck(), ...hellos(first)];
    t.deepEqual(found([...whole, second.synAck(), ...hellos(second)]), [...BOTH, ...BOTH], 'no SYN');
    t.deepEqual(found([...hellos(first), ...hellos(second)]), [...BOTH, ...BOTH], 'only packets with hellos');
    const answers = [first, second].flatMap((wire) => [wire.synAck(), wire.data('server', 0, SERVER)]);
    t.deepEqual(found(answers), [BOTH[1], BOTH[1]], 'only what the server sends');
  }
});

test('a SYN or its answer that comes late, or again, begins no other connection', (t) => {
  const wire = new Wire();
  const [half, rest] = [
    wire.data('client', 0, CLIENT.subarray(0, 150)),
    wire.data('client', 150, CLIENT.subarray(150)),
  ];
  const answer = wire.data('server', 0, SERVER);
  t.deepEqual(found([half, wire.syn(), rest, answer]), BOTH);
  t.deepEqual(found([wire.syn(), half, wire.synAck(), wire.syn(), rest, answer]), BOTH);
  t.deepEqual(found([wire.syn(), half, rest, answer.subarray(0, 40 + 90), wire.synAck(), answer]), BOTH);
  t.deepEqual(found([wire.syn(), wire.synAck(), half, rest, answer, wire.synAck(), half, rest, answer]), BOTH);
});

test('a hello cut off by the end of the capture comes out as far as it reaches', (t) => {
  const wire = new Wire();
  const [hello] = collect([wire.syn(), wire.data('client', 0, CLIENT.subarray(0, 100))]);
  t.is(hello?.complete, false);
  t.deepEqual(Buffer.from(hello?.raw ?? []), CLIENT.subarray(5, 100));
  t.regex(hello?.error ?? '', /bytes before the hello does/);
});

test('a hello behind bytes that were not captured is still found when the capture ends', (t) => {
  const wire = new Wire();
  const packets = [
    wire.syn(),
    wire.synAck(),
    wire.data('client', 0, Buffer.from('CONNECT x\r\n\r\n')),
    wire.data('client', 60, CLIENT),
    wire.data('server', 400, SERVER),
  ];
  t.deepEqual(found(packets).sort(), BOTH);
});

test('a snap length that cuts the hello leaves a hello that says so', (t) => {
  const wire = new Wire();
  const cut = wire.data('client', 0, CLIENT).subarray(0, 120);
  const [hello] = collect([wire.syn(), wire.synAck(), cut, wire.data('client', CLIENT.length, Buffer.alloc(50))]);
  t.is(hello?.complete, false);
});

test('packets that the snap length cut are counted as long as a hello can be in what is missing', (t) => {
  const wire = new Wire();
  const headers = 40;
  const cutTo = (length: number, packet: Buffer): Buffer => packet.subarray(0, length);
  const countOf = (packets: readonly Buffer[]): number => extract(pcapOf(101, packets), () => undefined).packetsCut;
  const opening = [wire.syn(), wire.synAck()];
  const [client, server] = [wire.data('client', 0, CLIENT), wire.data('server', 0, SERVER)];
  const later = wire.data('server', SERVER.length, Buffer.alloc(1000));
  t.is(countOf([...opening, client, server, later]), 0);
  t.is(countOf([...opening, client, server, cutTo(100, later)]), 0);
  t.is(countOf([...opening, cutTo(headers, client), cutTo(headers, server)]), 2);
  t.is(countOf([...opening, cutTo(120, client), server, cutTo(100, later)]), 2);
  t.is(countOf([cutTo(headers - 10, client)]), 1);
});

test('every prefix of a capture gives a part of what the whole gives, or a hello that is cut short', (t) => {
  const packets = packetsOf(readFixture('hello-retry.pcapng')).map(({ bytes }) => bytes);
  const whole = new Set(collect(packets, 1).map(essence));
  for (let count = 0; count <= packets.length; count++) {
    for (const hello of collect(packets.slice(0, count), 1)) t.true(!hello.complete || whole.has(essence(hello)));
  }
});

test('flows over the limit make room, the least recently seen first, and are counted', (t) => {
  const wires = Array.from({ length: 300 }, (_, index) => new Wire(10_000 + index));
  const packets = wires.flatMap((wire) => [wire.syn(), wire.data('client', 0, CLIENT.subarray(0, 50))]);
  const hellos: CapturedHello[] = [];
  const extractor = extract(pcapOf(101, packets), (hello) => hellos.push(hello), { maxFlows: 128 });
  t.is(extractor.flowsGivenUp, 300 - 128);
  // What was begun comes out, whoever had to go.
  t.is(hellos.length, 300);
});

test('flows without a hello begun make room, and that is no loss: what they send later is found all the same', (t) => {
  const wires = Array.from({ length: 1000 }, (_, index) => new Wire(10_000 + index));
  const packets = [
    ...wires.flatMap((wire) => [wire.syn(), wire.synAck(), wire.data('server', 0, Buffer.from('220 mail ESMTP\r\n'))]),
    ...wires.flatMap((wire) => [wire.data('client', 10, CLIENT), wire.data('server', 40, SERVER)]),
  ];
  const hellos: string[] = [];
  const extractor = extract(pcapOf(101, packets), (hello) => hellos.push(hello.kind), { maxFlows: 128 });
  t.is(extractor.flowsGivenUp, 0);
  t.is(hellos.length, 2000);
});

test('flows that are done make room first, and that is no loss', (t) => {
  const wires = Array.from({ length: 1000 }, (_, index) => new Wire(10_000 + index));
  const packets = wires.flatMap((wire) => [
    wire.syn(),
    wire.synAck(),
    wire.data('client', 0, CLIENT),
    wire.data('server', 0, SERVER),
  ]);
  const hellos: string[] = [];
  const extractor = extract(pcapOf(101, packets), (hello) => hellos.push(hello.kind), { maxFlows: 128 });
  t.is(extractor.flowsGivenUp, 0);
  t.is(hellos.length, 2000);
});

test('bytes kept for unfinished hellos are bounded over all flows', (t) => {
  const big = helloRecord(1, 16_000);
  const wires = Array.from({ length: 50 }, (_, index) => new Wire(10_000 + index));
  const packets = wires.flatMap((wire) => [wire.syn(), wire.data('client', 0, big.subarray(0, 15_000))]);
  const extractor = extract(pcapOf(101, packets), () => undefined, { maxHeldBytes: 200_000 });
  t.true(extractor.flowsGivenUp >= 30);
});

test('the same addresses in two VXLAN networks are two connections', (t) => {
  const wire = new Wire();
  const vxlan = (network: number, ip: Buffer): Buffer => {
    const inner = Buffer.concat([Buffer.alloc(12), Buffer.of(8, 0), ip]);
    const head = Buffer.alloc(8 + 8);
    head.writeUInt16BE(50_000, 0);
    head.writeUInt16BE(4789, 2);
    head.writeUInt16BE(16 + inner.length, 4);
    head.writeUInt8(8, 8);
    head.writeUIntBE(network, 12, 3);
    const outer = Buffer.from('450000000000400040110000c0000201c0000202', 'hex');
    outer.writeUInt16BE(20 + 16 + inner.length, 2);
    return Buffer.concat([outer, head, inner]);
  };
  const packets = [5, 6].flatMap((network) =>
    [wire.syn(), wire.data('client', 0, CLIENT)].map((ip) => vxlan(network, ip)),
  );
  t.is(found(packets).length, 2);
  t.is(
    found([5, 5].flatMap((network) => [wire.syn(), wire.data('client', 0, CLIENT)].map((ip) => vxlan(network, ip))))
      .length,
    1,
  );
});

test('what is kept of a packet is a copy: neither is the capture changed, nor does it matter what becomes of it', (t) => {
  for (const name of ['dtls.pcapng', 'big-hello.pcap', 'quic.pcapng', 'proxies.pcap']) {
    const inOrder = packetsOf(readFixture(name)).map(({ bytes }) => bytes);
    // Every other pair the wrong way round: then something must be kept.
    const packets = inOrder.flatMap((_, index) =>
      inOrder
        .slice(index, index + 2)
        .reverse()
        .slice(index % 2 === 0 ? 0 : 2),
    );
    const untouched = packets.map((bytes) => bytes.toString('hex'));
    const wanted = collect(packets, 1).map(essence);
    t.deepEqual(
      packets.map((bytes) => bytes.toString('hex')),
      untouched,
      name,
    );
    // The reader of files uses its memory again for every piece: here, for every packet.
    const hellos: string[] = [];
    const extractor = new HelloExtractor((hello) => hellos.push(essence(hello)));
    const packet = new CapturedPacket();
    packet.linkType = 1;
    for (const bytes of packets) {
      packet.buffer = Buffer.from(bytes);
      packet.end = bytes.length;
      extractor.packet(packet);
      packet.buffer.fill(0xee);
    }
    extractor.end();
    t.deepEqual(hellos, wanted, name);
  }
});

function collect(packets: readonly Buffer[], linkType = 101): CapturedHello[] {
  const hellos: CapturedHello[] = [];
  extract(pcapOf(linkType, packets), (hello) => hellos.push({ ...hello, raw: Buffer.from(hello.raw) }));
  return hellos;
}

const found = (packets: readonly Buffer[]): string[] => collect(packets).map(essence);
