import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import test from 'ava';
import fc from 'fast-check';
import { Type } from 'typebox';
import { canonicalLine, canonicalLines, placesBefore, placesOf } from '../../src/snapshot/canonical-line.js';
import { HANDSHAKE_TAIL, handshakeExcerpt } from '../../src/snapshot/handshake-excerpt.js';
import { base64, closed, uint16, uint32, uint8 } from '../../src/snapshot/schema/fields.js';
import { Handshake } from '../../src/snapshot/schema/handshake.js';
import { arbitraryOf } from './arbitrary-row.js';
import { handshakeAt } from './sample.js';

// JSON.parse says what a line holds, and ajv by the published schema whether that fits.

const excerpt = handshakeExcerpt();
const excerptOf = (line: string) => excerpt(...bytesOf(line));
const schemaFile = resolve(import.meta.dirname, '../../schemas/handshakes.schema.json');
const fits = new Ajv2020({ strict: true, allowUnionTypes: true }).compile(
  JSON.parse(await readFile(schemaFile, 'utf8')) as object,
);

test('any row that fits the schema is taken as it was written, where no character is escaped', (t) => {
  fc.assert(
    fc.property(arbitraryOf(Handshake), (row) => {
      const line = JSON.stringify(row);
      t.deepEqual(excerptOf(line), line.includes('\\') ? undefined : excerptFrom(row as Handshake));
    }),
    { numRuns: 1000 },
  );
});

test('what is taken of a line with any change is JSON, fits the schema and is what JSON.parse reads', (t) => {
  const line = JSON.stringify({ seq: 0, ...plainHandshake() });
  const pieces = [
    '"',
    ',',
    '{',
    '}',
    '[',
    ']',
    '0',
    '-',
    '.',
    '1e5',
    '\\',
    '\\u0041',
    ' ',
    '\r',
    '\u0000',
    'ä',
    'null',
  ];
  const change = fc.record({
    at: fc.nat({ max: line.length }),
    length: fc.nat({ max: 12 }),
    text: fc.oneof(fc.constantFrom(...pieces), fc.integer().map(String), fc.string({ maxLength: 4 })),
  });
  let taken = 0;
  fc.assert(
    fc.property(fc.array(change, { minLength: 1, maxLength: 2 }), (changes) => {
      let changed = line;
      for (const { at, length, text } of changes) changed = changed.slice(0, at) + text + changed.slice(at + length);
      const taking = excerptOf(changed);
      if (taking === undefined) return;
      taken += 1;
      const row = JSON.parse(changed) as Handshake;
      t.true(fits(row), JSON.stringify(fits.errors));
      t.deepEqual(taking, excerptFrom(row));
    }),
    { numRuns: 20_000 },
  );
  t.true(taken > 100, `${taken} changed lines were taken`);
});

test('a field in another place, twice, left out or unknown is left to the parser', (t) => {
  const row = { seq: 0, ...plainHandshake() };
  const line = JSON.stringify(row);
  t.truthy(excerptOf(line));
  const { seq, ...others } = row;
  t.is(excerptOf(JSON.stringify({ ...others, seq })), undefined);
  t.is(excerptOf(JSON.stringify(others)), undefined);
  t.is(excerptOf(line.replace('"seq":0', '"seq":0,"seq":1')), undefined);
  t.is(excerptOf(line.replace('"error":null', '"error":null,"more":1')), undefined);
  t.is(excerptOf(line.replace('"kernel":{', '"kernel":{,')), undefined);
  t.is(excerptOf(line.replace('"},"error"', '",},"error"')), undefined);
});

test('the places of a schema are told in its order, and a list is given as it is written', (t) => {
  const places = placesOf(Handshake);
  t.deepEqual(places.slice(0, 3), ['', '/seq', '/time']);
  t.true(places.includes('/process/sender/commRaw'));
  const read = canonicalLine(Handshake, ['/tls/cipherSuites']);
  t.is(read(JSON.stringify({ seq: 0, ...plainHandshake() }))?.[1], JSON.stringify(plainHandshake().tls?.cipherSuites));
});

test('remembering tails changes nothing: any head with any tail is read as without it, and so is any change to it', (t) => {
  const places = placesOf(Handshake);
  const plain = canonicalLine(Handshake, places);
  const before = 1 + placesBefore(Handshake, places, HANDSHAKE_TAIL);
  const remembering = canonicalLines(Handshake, places, HANDSHAKE_TAIL, (texts) => texts.slice(before));
  const pieces = fc.constantFrom('"', ',', '}', '[', '],"alpn":[', '0', '\\', '{', '"alpn":[],', '');
  const change = fc.record({ at: fc.nat({ max: 4000 }), length: fc.nat({ max: 12 }), text: pieces });
  let taken = 0;
  fc.assert(
    fc.property(arbitraryOf(Handshake), arbitraryOf(Handshake), fc.option(change), (one, other, changed) => {
      const [head, tail] = [JSON.stringify(one), JSON.stringify(other)];
      const [headEnd, tailStart] = [head.indexOf(HANDSHAKE_TAIL.marker), tail.indexOf(HANDSHAKE_TAIL.marker)];
      if (headEnd === -1 || tailStart === -1) return;
      let line = head.slice(0, headEnd) + tail.slice(tailStart);
      if (changed) line = line.slice(0, changed.at) + changed.text + line.slice(changed.at + changed.length);
      // Half of a surrogate pair, which a change can leave, has no UTF-8.
      if (Buffer.from(line).toString() !== line) return;
      const expected = plain(line);
      // Twice: the second time the tail is known.
      for (let round = 0; round < 2; round++) {
        const read = remembering.read(...bytesOf(line));
        t.deepEqual(read && [...read.places.slice(1, before), ...read.made], expected?.slice(1));
      }
      if (expected) taken += 1;
    }),
    { numRuns: 5000 },
  );
  t.true(taken > 100, `${taken} lines were taken`);
});

test('a number is taken up to its greatest and not beyond', (t) => {
  for (const [schema, max] of [
    [uint8, 255],
    [uint16, 65_535],
    [uint32, 4_294_967_295],
  ] as const) {
    const read = canonicalLine(schema, ['']);
    const near = Array.from({ length: 70_000 }, (_, at) => at);
    for (const number of [...near, ...near.map((at) => max - at), ...near.map((at) => max + 1 + at)]) {
      const fit = number >= 0 && number <= max;
      if ((read(String(number)) !== undefined) !== fit) t.fail(`${number} of at most ${max}`);
    }
    for (const text of ['00', '01', '-0', '1.0', '1e1', '', ' 1', `${max}0`]) t.is(read(text), undefined);
  }
  t.pass();
});

test('base64 is taken where the pattern of the schema takes it, whatever follows', (t) => {
  const pattern = new RegExp((base64 as { pattern?: string }).pattern ?? '');
  const read = canonicalLine(Type.Object({ raw: base64, more: Type.String() }, closed), ['/raw']);
  const units = fc.constantFrom('A', 'z', '0', '9', '+', '/', '=', '_', '-', ' ', '\u0100', '\ud7ff');
  const texts = fc.oneof(fc.stringMatching(pattern), fc.string({ unit: units, maxLength: 5 }));
  let taken = 0;
  fc.assert(
    fc.property(texts, texts, (raw, more) => {
      const expected = pattern.test(raw) ? raw : undefined;
      t.is(read(JSON.stringify({ raw, more }))?.[1], expected);
      if (expected !== undefined) taken += 1;
    }),
    { numRuns: 20_000 },
  );
  t.true(taken > 10_000 && taken < 19_000, `${taken} texts were taken`);
});

test('places out of order, and schemas it cannot be made of, are refused at once', (t) => {
  t.throws(() => canonicalLine(Handshake, ['/time', '/seq']), { message: /order/ });
  t.throws(() => canonicalLine(Handshake, ['/none']), { message: /order/ });
  t.throws(() => canonicalLine({ type: 'object', properties: {} }, []), { message: /not a closed object/ });
  t.throws(() => canonicalLine({ type: 'number' }, []), { message: /no expression/ });
});

/** A line somewhere in a chunk, as a reader has it. */
function bytesOf(line: string): [Buffer, number, number, 'latin1' | 'utf8'] {
  const bytes = Buffer.from(`before\n${line}\nbehind`);
  return [bytes, 7, bytes.length - 7, /^[\0-\x7f]*$/.test(line) ? 'latin1' : 'utf8'];
}

/** The same by hand. */
function excerptFrom({ seq, time, kind, transport, flow, process, hello, tls, fingerprints }: Handshake): object {
  return {
    ...{ seq, time, kind, transport, flow },
    process: process && { pid: process.pid, startTimeNs: process.startTimeNs, comm: process.comm, exe: process.exe },
    hello: { raw: hello.raw, afterRetry: hello.afterRetry },
    tls: tls && { serverName: tls.serverName },
    fingerprints: fingerprints && { ...NO_FINGERPRINTS, ...fingerprints },
  };
}

/** Without the escape that the sample has in a name. */
function plainHandshake(): Omit<Handshake, 'seq'> {
  const row = handshakeAt(0n);
  return { ...row, process: row.process && { ...row.process, comm: 'curl' } };
}

const NO_FINGERPRINTS = {
  ...{ ja3: undefined, ja3Sha256: undefined, ja3String: undefined, ja4: undefined, ja4r: undefined },
  ...{ ja3s: undefined, ja3sString: undefined },
};
