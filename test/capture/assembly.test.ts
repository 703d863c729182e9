import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import fc from 'fast-check';
import { type AssembledHello, HelloAssembly } from '../../src/capture/assembly.js';
import { CHUNK_FLAGS } from '../../src/native/layout.js';
import { kernelRecords } from '../../src/native/records.js';
import { type ChunkFields, chunkBytes } from '../native/sample-records.js';

// Real clients' hellos (fixtures/README.md), cut and mixed as a network may do. What comes out must be the message that
// went in, whole and once.

const RECORDS = readFileSync(join(import.meta.dirname, '../../fixtures/hellos/hellos.ndjson'), 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as { transport: string; segments: [number, number | null, string][] })
  .filter(({ transport, segments }) => transport === 'tcp' && segments[0]?.[1] === 0 && segments[0][2].startsWith('16'))
  .map(({ segments }) => Buffer.from(segments[0]?.[2] ?? '', 'hex'))
  .filter((bytes) => bytes[5] === 1 && bytes.readUInt16BE(3) + 5 === bytes.length);

const hello = fc.constantFrom(...RECORDS);
const start = fc.constantFrom(0, 1, 37, 1 << 20);
const cuts = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 12 });

test('a hello in pieces, in any order and sent again, is one hello', (t) => {
  t.true(RECORDS.length > 3, 'no fixtures');
  fc.assert(
    fc.property(
      hello,
      start,
      cuts,
      fc.array(fc.nat({ max: 999 }), { minLength: 30, maxLength: 30 }),
      (record, offset, at, random) => {
        const [first, ...rest] = piecesOf(record, offset, at);
        const again = rest.filter((_, index) => (random[index] ?? 0) % 3 === 0);
        const mixed = [...rest, ...again]
          .map((piece, index) => ({ piece, key: random[index] ?? 0 }))
          .sort((a, b) => a.key - b.key)
          .map(({ piece }) => piece);
        const hellos = assemble([first, ...mixed].filter((piece) => piece !== undefined));
        return isOnly(hellos, record, offset);
      },
    ),
  );
});

test('pieces that came before the first are put behind it', (t) => {
  fc.assert(
    fc.property(hello, start, cuts, (record, offset, at) => {
      const [first, ...rest] = piecesOf(record, offset, at);
      const early = rest.map((piece) => ({
        ...piece,
        helloOffset: 0xffff_ffff,
        flags: CHUNK_FLAGS.SPECULATIVE,
        handshakeType: 0,
      }));
      return isOnly(assemble([...early, first].filter((piece) => piece !== undefined)), record, offset);
    }),
  );
  t.pass();
});

test('a hello of which the end never came is handed out at the end, as far as it goes', (t) => {
  const [record = Buffer.alloc(0)] = RECORDS;
  for (let length = 1; length < record.length; length += 7) {
    const hellos = assemble([{ bytes: record.subarray(0, length) }]);
    t.is(hellos.length, 1, `${length}`);
    t.false(hellos[0]?.hello.complete);
    t.true(record.includes(Buffer.from(hellos[0]?.hello.raw ?? [])), `${length}`);
  }
});

test('who owns an accepted connection is told with a later chunk, for the hellos before it too', (t) => {
  const [record = Buffer.alloc(0)] = RECORDS;
  const accepted = { direction: 1, role: 1, ownerPid: 0 } as const;
  const owner = { flags: CHUNK_FLAGS.OWNER, role: 1, ownerPid: 77, handshakeType: 0, bytes: Buffer.alloc(0) } as const;
  const [named] = assemble([{ ...accepted, bytes: record }, owner]);
  t.is(named?.owner?.pid, 77);
  t.true(named?.accepted);
  t.false(named?.outgoing);
  const [nobodys] = assemble([{ ...accepted, bytes: record }]);
  t.is(nobodys?.owner, null);
});

test('what reached a listener only is a hello of nobody, at the start of its stream', (t) => {
  const [record = Buffer.alloc(0)] = RECORDS;
  // A listener's offsets are TCP sequence numbers, which may wrap.
  const sequence = 0xffff_ff00;
  const listener = { helloOffset: sequence, direction: 1, role: 1, flags: CHUNK_FLAGS.LISTENER, cookie: 0n } as const;
  const [found, ...more] = assemble([
    { ...listener, ownerPid: 0, streamOffset: sequence, bytes: record.subarray(0, 300) },
    { ...listener, ownerPid: 0, streamOffset: (sequence + 300) >>> 0, bytes: record.subarray(300) },
  ]);
  t.deepEqual(more, []);
  t.deepEqual(Buffer.from(found?.hello.raw ?? []), record.subarray(5));
  t.is(found?.hello.streamOffset, 0);
  t.is(found?.owner, null);
});

test('connections do not mix: each cookie has its own hello', (t) => {
  fc.assert(
    fc.property(hello, hello, cuts, cuts, (one, other, atOne, atOther) => {
      const first = piecesOf(one, 0, atOne).map((piece) => ({ ...piece, cookie: 1n }));
      const second = piecesOf(other, 0, atOther).map((piece) => ({ ...piece, cookie: 2n }));
      const mixed = Array.from({ length: Math.max(first.length, second.length) }, (_, index) =>
        [first[index], second[index]].filter((piece) => piece !== undefined),
      ).flat();
      const hellos = assemble(mixed);
      return (
        hellos.length === 2 &&
        hellos.every(({ flow, hello: found }) =>
          Buffer.from(found.raw).equals((flow.cookie === 1n ? one : other).subarray(5)),
        )
      );
    }),
  );
  t.pass();
});

test('where too many are open the oldest is ended: counted, if anything of it was still to come', (t) => {
  const [record = Buffer.alloc(0)] = RECORDS;
  const found: AssembledHello[] = [];
  const assembly = new HelloAssembly((one) => found.push(one), { connections: 3, listening: 2 });
  const take = (...chunks: ChunkFields[]): void => {
    for (const one of kernelRecords(Buffer.concat(chunks.map(chunkBytes))))
      if (one.type === 'chunk') assembly.chunk(one);
  };
  // Of the first only a part came, the second waits for its owner, of the third the hello is out.
  take({ cookie: 1n, bytes: record.subarray(0, 100) });
  take({ cookie: 2n, bytes: record, direction: 1, role: 1, ownerPid: 0 });
  take({ cookie: 3n, bytes: record });
  t.is(found.length, 1);
  for (const cookie of [4n, 5n, 6n]) take({ cookie, bytes: record });
  t.is(assembly.retired, 2);
  t.deepEqual(
    found.map(({ flow, owner, hello }) => [flow.cookie, owner?.pid, hello.complete]),
    [
      [3n, 4242, true],
      [1n, 4242, false],
      [4n, 4242, true],
      [2n, undefined, true],
      [5n, 4242, true],
      [6n, 4242, true],
    ],
  );
  const early = { direction: 1, role: 1, ownerPid: 0, flags: CHUNK_FLAGS.LISTENER, cookie: 0n, bytes: record } as const;
  for (const remotePort of [1, 2, 3]) take({ ...early, remotePort });
  t.is(assembly.retired, 3);
  t.deepEqual(
    found.slice(6).map(({ flow }) => flow.remotePort),
    [1],
  );
  assembly.end();
  t.is(found.length, 9);
});

test('chunks of hostile bytes never throw, and nothing is made of none', (t) => {
  const chunk = fc.record({
    bytes: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
    streamOffset: fc.constantFrom(0, 1, 5, 299, 0xffff_ffff),
    helloOffset: fc.constantFrom(0, 1, 0xffff_ffff),
    direction: fc.constantFrom(0, 1),
    role: fc.constantFrom(0, 1),
    flags: fc.integer({ min: 0, max: 31 }),
    cookie: fc.constantFrom(0n, 1n),
    ownerPid: fc.constantFrom(0, 5),
    handshakeType: fc.integer({ min: 0, max: 3 }),
  });
  fc.assert(fc.property(fc.array(chunk, { maxLength: 20 }), (chunks) => assemble(chunks).length <= chunks.length));
  t.deepEqual(assemble([]), []);
});

/** The record as chunks that begin at `offset` of the stream, cut at fractions of its length. */
function piecesOf(record: Buffer, offset: number, fractions: readonly number[]): ChunkFields[] {
  const places = [...new Set([0, ...fractions.map((part) => Math.floor(part * record.length)), record.length])];
  places.sort((a, b) => a - b);
  return places.slice(0, -1).map((from, index) => ({
    bytes: record.subarray(from, places[index + 1]),
    helloOffset: offset,
    streamOffset: (offset + from) >>> 0,
  }));
}

function assemble(chunks: readonly ChunkFields[]): AssembledHello[] {
  const found: AssembledHello[] = [];
  const assembly = new HelloAssembly((one) => found.push(one));
  for (const record of kernelRecords(Buffer.concat(chunks.map(chunkBytes)))) {
    if (record.type === 'chunk') assembly.chunk(record);
  }
  assembly.end();
  return found;
}

function isOnly(hellos: readonly AssembledHello[], record: Buffer, offset: number): boolean {
  const [only] = hellos;
  return (
    hellos.length === 1 &&
    only !== undefined &&
    only.hello.complete &&
    only.hello.streamOffset === offset &&
    Buffer.from(only.hello.raw).equals(record.subarray(5))
  );
}
