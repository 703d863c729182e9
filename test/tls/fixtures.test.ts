/**
 * Hellos of real clients and servers (fixtures/hellos, made by scripts/fixtures/hellos.ts), compared with what tshark read in the
 * same capture.
 */
import test from 'ava';
import { readFileSync } from 'node:fs';
import { Conversation } from '../../src/tls/conversation.js';
import { describeHello, type HelloDescription } from '../../src/tls/describe.js';
import { DtlsFinder } from '../../src/tls/dtls.js';
import type { FoundHello } from '../../src/tls/hello-finder.js';
import type { Connection, ExpectedHello } from '../../scripts/fixtures/tshark-hellos.js';

type Found = Omit<FoundHello, 'streamOffset'>;
type Cut = (payload: Uint8Array) => Uint8Array[];

const CONNECTIONS = readFileSync(new URL('../../fixtures/hellos/hellos.ndjson', import.meta.url), 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as Connection);

const whole: Cut = (payload) => [payload];
const byByte: Cut = (payload) => Array.from(payload, (_, at) => payload.subarray(at, at + 1));

test('the fixtures hold what they should: every client, retries, resumption, DTLS fragments, STARTTLS, proxies', (t) => {
  const names = new Set(CONNECTIONS.map(({ name }) => name));
  for (const name of [
    'openssl-retry',
    'gnutls-retry',
    'node-resumption',
    'openssl-smtp',
    'openssl-postgres',
    'curl-proxy',
  ]) {
    t.true(names.has(name), name);
  }
  t.true(CONNECTIONS.flatMap(({ hellos }) => hellos).length >= 60);
});

for (const [index, connection] of CONNECTIONS.entries()) {
  const title = `${connection.name} (${index})`;

  test(`${title}: every hello is found and reads as in tshark`, (t) => {
    const found = find(connection, whole);
    t.is(found.length, connection.hellos.length);
    for (const [at, expected] of connection.hellos.entries()) {
      const hello = found[at];
      if (hello === undefined) continue;
      t.true(hello.complete);
      t.is(hello.kind, expected.kind);
      const described = describe(hello, connection);
      t.is(described.error, null);
      t.is(Buffer.from(randomOf(hello, connection)).toString('hex'), expected.random);
      t.like(described.tls, fieldsOf(expected));
      t.deepEqual(fingerprintsOf(described), expectedFingerprints(described, expected));
    }
  });

  if (connection.transport === 'tcp') {
    test(`${title}: fed byte by byte it is the same`, (t) => {
      const cut = find(connection, byByte);
      t.deepEqual(
        cut.map(({ raw, kind, complete }) => [Buffer.from(raw).toString('hex'), kind, complete]),
        find(connection, whole).map(({ raw, kind, complete }) => [Buffer.from(raw).toString('hex'), kind, complete]),
      );
    });
  }
}

test('every prefix of every fixture is described with an error and without a fingerprint', (t) => {
  for (const connection of CONNECTIONS) {
    for (const hello of find(connection, whole)) {
      for (let length = 0; length < hello.raw.length; length++) {
        const { fingerprints, error } = describe({ ...hello, raw: hello.raw.subarray(0, length) }, connection);
        if (fingerprints !== null || error === null) t.fail(`${connection.name}: ${length} bytes`);
      }
    }
  }
  t.pass();
});

test('resumption changes JA4 by its pre-shared key only, and the first hello of a session has none', (t) => {
  const [first, resumed] = CONNECTIONS.filter(({ name }) => name === 'node-resumption').map(({ hellos }) => hellos[0]);
  t.false(first?.extensions.includes(41));
  t.deepEqual(resumed?.extensions, [...(first?.extensions ?? []), 41]);
});

function find({ transport, segments }: Connection, cut: Cut): Found[] {
  if (transport === 'dtls') {
    const finders = [new DtlsFinder(), new DtlsFinder()] as const;
    return segments.flatMap(([direction, , payload]) => finders[direction].push(fromHex(payload)));
  }
  const conversation = new Conversation({ finder: { segmentBudget: 100_000 } });
  const found = segments.flatMap(([direction, offset, payload]) => {
    let at = offset ?? 0;
    return cut(fromHex(payload)).flatMap((piece) => {
      const hellos = conversation.push(direction, at, piece);
      at += piece.length;
      return hellos;
    });
  });
  return [...found, ...conversation.end()];
}

function describe(hello: Found, { transport }: Connection): HelloDescription {
  return describeHello(hello.raw, { kind: hello.kind, transport, sslv2: hello.sslv2 });
}

function randomOf({ raw }: Found, { transport }: Connection): Uint8Array {
  const start = transport === 'dtls' ? 14 : 6;
  return raw.subarray(start, start + 32);
}

function fieldsOf(expected: ExpectedHello): object {
  const { legacyVersion, cipherSuites, extensions, supportedGroups, pointFormats, signatureAlgorithms, serverName } =
    expected;
  const fields = { legacyVersion, cipherSuites, extensions, pointFormats, serverName };
  // tshark prints names beyond ASCII in its own way, and of a server it also lists what follows the hello in the same segment.
  const readable = expected.alpn.every((name) => /^[ -~]*$/.test(name));
  const client = { supportedGroups, signatureAlgorithms, ...(readable ? { alpn: [...expected.alpn] } : {}) };
  return expected.kind === 'client' ? { ...fields, ...client } : fields;
}

function fingerprintsOf({ fingerprints }: HelloDescription): object | null {
  if (fingerprints === null) return null;
  const { ja3, ja3String, ja3s, ja3sString } = fingerprints;
  return { ja3: ja3 ?? ja3s, ja3String: ja3String ?? ja3sString };
}

/** tshark gives a HelloRetryRequest a JA3S; here it has none. */
function expectedFingerprints(
  { helloRetryRequest }: HelloDescription,
  { ja3, ja3String }: ExpectedHello,
): object | null {
  return helloRetryRequest ? null : { ja3, ja3String };
}

function fromHex(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex, 'hex'));
}
