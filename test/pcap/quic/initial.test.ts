import test from 'ava';
import fc from 'fast-check';
import { CryptoStream } from '../../../src/pcap/quic/crypto-stream.js';
import { cryptoFrames } from '../../../src/pcap/quic/frames.js';
import { InitialKeys } from '../../../src/pcap/quic/initial-keys.js';
import { readLongPacket, readVarint } from '../../../src/pcap/quic/long-header.js';
import { QuicFlow } from '../../../src/pcap/quic/quic-flow.js';
import type { CapturedHello } from '../../../src/pcap/hello/captured-hello.js';
import { QuicInitials } from '../../../src/pcap/write/quic-initial.js';

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(/\s/g, ''), 'hex');

// RFC 9001, appendix A.3: the server's Initial, protected with keys that follow from the client's id 8394c8f03e515708.
const RFC9001_SERVER = hex(`cf000000010008f067a5502a4262b5004075c0d95a482cd0991cd25b0aac406a
  5816b6394100f37a1c69797554780bb38cc5a99f5ede4cf73c3ec2493a1839b3dbcba3f6ea46c5b7684df3548e7ddeb9c3bf9c73cc3f3bded74b562bfb19fb84
  022f8ef4cdd93795d77d06edbb7aaf2f58891850abbdca3d20398c276456cbc42158407dd074ee`);
// RFC 9369, appendix A.3: the same in version 2.
const RFC9369_SERVER = hex(`dc6b3343cf0008f067a5502a4262b5004075d92faaf16f05d8a4398c47089698
  baeea26b91eb761d9b89237bbf87263017915358230035f7fd3945d88965cf17f9af6e16886c61bfc703106fbaf3cb4cfa52382dd16a393e42757507698075b2
  c984c707f0a0812d8cd5a6881eaf21ceda98f4bd23f6fe1a3e2c43edd9ce7ca84bed8521e2e140`);
const CLIENT_ID = hex('8394c8f03e515708');
// The plaintext of both: an ACK and a CRYPTO frame with a ServerHello.
const SERVER_FRAMES = hex(`02000000000600405a020000560303eefce7f7b37ba1d1632e96677825ddf739
  88cfc79825df566dc5430b9a045a1200130100002e00330024001d00209d3c940d89690b84d08a60993c144eca684d1081287c834d5311bcf32bb9da1a002b00020304`);

for (const [name, packet] of [
  ['RFC 9001', RFC9001_SERVER],
  ['RFC 9369', RFC9369_SERVER],
] as const) {
  test(`${name}'s server Initial opens to the frames in its appendix`, (t) => {
    const header = readLongPacket(packet, 0, packet.length);
    t.is(header?.kind, 'initial');
    if (!header) return;
    const keys = new InitialKeys(header.version, CLIENT_ID);
    t.deepEqual(keys.open(packet, header, 'server'), SERVER_FRAMES);
    t.is(keys.open(packet, header, 'client'), null);
    const [frame] = cryptoFrames(SERVER_FRAMES);
    t.is(frame?.offset, 0);
    t.deepEqual(frame?.bytes, SERVER_FRAMES.subarray(9));
  });
}

test("RFC 9000's variable-length integers are read", (t) => {
  // RFC 9000, appendix A.1.
  for (const [bytes, value] of [
    ['c2197c5eff14e88c', 151288809941952652],
    ['9d7f3e7d', 494878333],
    ['7bbd', 15293],
    ['25', 37],
    ['4025', 37],
  ] as const) {
    t.deepEqual(readVarint(hex(bytes), 0, 8), { value, next: bytes.length / 2 });
    t.is(readVarint(hex(bytes), 0, bytes.length / 2 - 1), null);
  }
});

const HELLO = Buffer.concat([hex('010001f4'), Buffer.alloc(500, 0x42)]);

test('a hello in pieces of any order, over any packets, with repeats, is put together', (t) => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.integer({ min: 1, max: HELLO.length - 1 }), { maxLength: 12 }),
      fc.infiniteStream(fc.nat()),
      (cuts, choices) => {
        const edges = [0, ...cuts.sort((a, b) => a - b), HELLO.length];
        const frames = edges
          .slice(1)
          .map((end, index) => ({ offset: edges[index] ?? 0, bytes: HELLO.subarray(edges[index], end) }));
        const mixed = [...frames, ...frames.slice(1)].sort(() => ((choices.next().value ?? 0) % 2) - 0.5);
        const stream = new CryptoStream();
        const messages = mixed.flatMap((frame, index) => stream.push([frame], BigInt(index)));
        t.is(messages.length, 1);
        t.deepEqual(messages[0]?.raw, HELLO);
        t.is(messages[0]?.timeNs, BigInt(mixed.findIndex(({ offset }) => offset === 0)));
      },
    ),
  );
});

test('a hello that ends too early comes out as far as it reaches, with the reason', (t) => {
  const stream = new CryptoStream();
  t.deepEqual(stream.push([{ offset: 0, bytes: HELLO.subarray(0, 100) }], 5n), []);
  t.like(stream.end(), { complete: false, timeNs: 5n, error: 'crypto stream ends, 404 bytes before the hello does' });
});

test('a hello in frames of one byte costs by its length, not by its square', (t) => {
  const long = Buffer.alloc(128 * 1024, 0x42);
  long.writeUIntBE(0x0100_0000 + long.length - 4, 0, 4);
  const frames = Array.from(long, (_, offset) => ({ offset, bytes: long.subarray(offset, offset + 1) }));
  // A copy of all that there is for each frame takes a second a round, and AVA ends what takes two minutes.
  for (let count = 0; count < 200; count++) {
    const stream = new CryptoStream();
    const messages: Buffer[] = [];
    for (let at = 0; at < frames.length; at += 16_384) {
      messages.push(...stream.push(frames.slice(at, at + 16_384), 0n).map(({ raw }) => raw));
    }
    t.is(messages.length, 1);
    t.true(messages[0]?.equals(long));
    t.is(stream.heldBytes, 0);
  }
});

test('messages that follow each other in a stream are told apart, wherever the frames are cut', (t) => {
  const both = Buffer.concat([HELLO, hex('02000003 aabbcc'), HELLO]);
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: both.length - 1 }), { maxLength: 12 }), (cuts) => {
      const edges = [0, ...cuts.sort((a, b) => a - b), both.length];
      const stream = new CryptoStream();
      const messages = edges
        .slice(1)
        .flatMap((end, index) =>
          stream.push([{ offset: edges[index] ?? 0, bytes: both.subarray(edges[index], end) }], BigInt(index)),
        );
      t.deepEqual(
        messages.map(({ raw, streamOffset }) => [streamOffset, raw.toString('hex')]),
        [
          [0, HELLO.toString('hex')],
          [HELLO.length, '02000003aabbcc'],
          [HELLO.length + 7, HELLO.toString('hex')],
        ],
      );
      t.is(stream.end(), null);
    }),
  );
});

test('a client that changes its id without a Retry has begun another connection, whose hellos are told as well', (t) => {
  const found: CapturedHello[] = [];
  const flow = new QuicFlow((hello) => found.push({ ...hello, raw: Buffer.from(hello.raw) }));
  for (const id of ['0102030405060708', '1112131415161718']) {
    const made = new QuicInitials(hex(id));
    for (const payload of made.hello('client', HELLO)) flow.datagram(true, payload, 0, payload.length, () => 0n);
  }
  t.deepEqual(
    found.map(({ raw }) => raw),
    [HELLO, HELLO],
  );
});

test('a server may answer in another version, with keys from the same id (RFC 9369, section 4.1)', (t) => {
  // The client's first packet is of version 1 and addressed to the id in RFC 9001's appendix, which RFC 9369's uses too: so the
  // server's packet there, of version 2, is an answer to it.
  const found: CapturedHello[] = [];
  const flow = new QuicFlow((hello) => found.push({ ...hello, raw: Buffer.from(hello.raw) }));
  for (const payload of new QuicInitials(CLIENT_ID).hello('client', HELLO)) {
    flow.datagram(true, payload, 0, payload.length, () => 0n);
  }
  t.false(flow.idle);
  flow.datagram(false, RFC9369_SERVER, 0, RFC9369_SERVER.length, () => 0n);
  t.deepEqual(
    found.map(({ kind, raw }) => [kind, raw]),
    [
      ['client', HELLO],
      ['server', SERVER_FRAMES.subarray(9)],
    ],
  );
  t.true(flow.idle);
});

test('datagrams that no key opens use up a budget, and then the flow is done', (t) => {
  const flow = new QuicFlow(() => t.fail());
  const damaged = new QuicInitials(hex('0102030405060708')).hello('client', HELLO)[0] ?? Buffer.alloc(0);
  damaged[damaged.length - 1] = (damaged[damaged.length - 1] ?? 0) ^ 1;
  for (let count = 0; count < 1024; count++) {
    t.false(flow.done);
    flow.datagram(true, damaged, 0, damaged.length, () => 0n);
  }
  t.true(flow.done);
});

test('random and damaged datagrams and frames never throw', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => t.notThrows(() => cryptoFrames(Buffer.from(bytes)))),
  );
  const seeds = [RFC9001_SERVER, RFC9369_SERVER, ...new QuicInitials(CLIENT_ID).hello('client', HELLO)];
  fc.assert(
    fc.property(fc.constantFrom(...seeds), fc.nat(60), fc.nat(255), fc.nat(1300), (seed, at, value, length) => {
      const damaged = Buffer.from(seed.subarray(0, length));
      if (at < damaged.length) damaged[at] = value;
      const flow = new QuicFlow(() => undefined);
      t.notThrows(() => flow.datagram(true, damaged, 0, damaged.length, () => 0n));
      t.notThrows(() => flow.end());
    }),
    { numRuns: 500 },
  );
});
