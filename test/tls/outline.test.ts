import test from 'ava';
import fc from 'fast-check';
import type { CapturedHello } from '../../src/pcap/hello/captured-hello.js';
import { describeHello } from '../../src/tls/describe.js';
import { ByOutline, Outline } from '../../src/tls/outline.js';
import { latin1 } from '../../src/tls/reader.js';
import { extract } from '../pcap/captures.js';
import { readFixture } from '../pcap/tshark.js';

// Descriptions come from describeHello(), whose own tests hold it against tshark and the published vectors.

const FIXTURES = [
  'clients.pcapng',
  'hello-retry.pcapng',
  'quic.pcapng',
  'dtls.pcapng',
  'big-hello.pcap',
  'proxies.pcap',
];
const HELLOS: readonly CapturedHello[] = FIXTURES.flatMap(hellosOf);

test('real hellos have outlines, but for a HelloRetryRequest and a client that offers 701 protocols', (t) => {
  const without = HELLOS.filter((hello) => !outlineOf(hello)).map(describe);
  t.deepEqual(
    without.map(({ tls, helloRetryRequest }) => helloRetryRequest || tls?.alpn.length),
    [true, 701],
  );
});

test('hellos of one outline are described alike but for their server names, however they differ', (t) => {
  const alike = { yes: 0, no: 0 };
  fc.assert(
    fc.property(fc.constantFrom(...HELLOS), change, change, (hello, one, other) => {
      const [first, second] = [changed(hello, one), changed(hello, other)];
      const [outline, another] = [outlineOf(first), outlineOf(second)];
      if (!outline || !another || !outline.equals(another.bytes())) {
        alike.no++;
        return;
      }
      alike.yes++;
      t.is(outline.hash, another.hash);
      t.deepEqual(withoutName(second), withoutName(first));
    }),
    { numRuns: 20_000 },
  );
  t.log(alike);
  t.true(alike.yes > 1000);
});

test('the server name stands where the outline says', (t) => {
  fc.assert(
    fc.property(fc.constantFrom(...HELLOS), change, (hello, one) => {
      const mutant = changed(hello, one);
      const outline = outlineOf(mutant);
      if (!outline) return;
      const { nameStart, nameEnd } = outline;
      t.is(nameEnd === 0 ? null : latin1(mutant.raw, nameStart, nameEnd), describe(mutant).tls?.serverName ?? null);
    }),
    { numRuns: 10_000 },
  );
});

test('no bytes make an outline throw', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), fc.constantFrom('client', 'server'), (raw, kind) => {
      for (const transport of ['tcp', 'quic', 'dtls'] as const) new Outline().of(raw, kind, transport);
    }),
  );
  t.pass();
});

test('what is kept by outline is bounded, and the oldest goes first', (t) => {
  const kept = new ByOutline<number>(2);
  const clients = HELLOS.filter(({ kind, transport }) => kind === 'client' && transport === 'tcp');
  const outlines = clients.map((hello) => outlineOf(hello)).filter((outline) => outline !== null);
  const [first, ...others] = outlines.filter((one, at) => outlines.findIndex((two) => two.hash === one.hash) === at);
  t.true(first !== undefined && others.length >= 2);
  if (!first) return;
  kept.set(first, 1);
  t.is(kept.get(first), 1);
  for (const [at, other] of others.entries()) kept.set(other, at + 2);
  t.is(kept.get(first), undefined);
});

/** One byte becomes another, somewhere. */
const change = fc.record({ at: fc.nat(700), value: fc.nat(255) });

function changed(hello: CapturedHello, { at, value }: { at: number; value: number }): CapturedHello {
  const raw = Buffer.from(hello.raw);
  if (at < raw.length) raw[at] = value;
  return { ...hello, raw };
}

function outlineOf({ raw, kind, transport }: CapturedHello): Outline | null {
  const outline = new Outline();
  return outline.of(raw, kind, transport) ? outline : null;
}

function describe({ raw, kind, transport, sslv2 }: CapturedHello): ReturnType<typeof describeHello> {
  return describeHello(raw, { kind, transport, sslv2 });
}

function withoutName(hello: CapturedHello): unknown {
  const { tls, fingerprints, error } = describe(hello);
  return { tls: { ...tls, serverName: null }, fingerprints, error };
}

function hellosOf(name: string): CapturedHello[] {
  const hellos: CapturedHello[] = [];
  extract(readFixture(name), (hello) => hellos.push({ ...hello, raw: Buffer.from(hello.raw) }));
  return hellos;
}
