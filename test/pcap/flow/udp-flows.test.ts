import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { QuicInitials } from '../../../src/pcap/write/quic-initial.js';
import { testUnless } from '../../left-out.js';
import { temporaryFolder } from '../../snapshot/sample.js';
import {
  bytes,
  clientHello,
  clientHelloBody,
  dtlsFragment,
  dtlsRecord,
  extension,
  RANDOM,
  RETRY_RANDOM,
  serverHello,
} from '../../tls/wire.js';
import { extract, pcapOf, rowsOf } from '../captures.js';
import { reasonAgainstTshark, tsharkFields } from '../tshark.js';
import { Datagrams } from './datagrams.js';

// What is expected comes from tshark reading the same packets.

const quicHello = (name: string): Uint8Array =>
  clientHello({ extensions: [extension.serverName(name), extension.supportedVersions([0x0304])] });

/** The Initial packet of a connection of its own, `number` in its id; damaged where no key is to open it. */
function initial(number: number, name: string, { damaged = false } = {}): Buffer {
  const id = Buffer.alloc(8);
  id.writeUInt32BE(number, 4);
  const [packet = Buffer.alloc(0)] = new QuicInitials(id).hello('client', quicHello(name));
  if (damaged) packet[packet.length - 1] = (packet[packet.length - 1] ?? 0) ^ 1;
  return packet;
}

testUnless(
  reasonAgainstTshark(),
  'a QUIC hello behind packets that no key opens is found, as tshark finds it',
  async (t) => {
    const wire = new Datagrams(443);
    const junk = Array.from({ length: 40 }, (_, index) =>
      wire.from('client', initial(index % 20, 'none.test', { damaged: true })),
    );
    await assertAsTshark(t, 'tls', [...junk, wire.from('client', initial(3, 'behind.test'))], ['behind.test']);
  },
);

test('ports between which too many QUIC packets came that no key opens are given up, and counted', (t) => {
  const wire = new Datagrams(443);
  const junk = (count: number): Buffer[] =>
    Array.from({ length: count }, (_, index) => wire.from('client', initial(index, 'none.test', { damaged: true })));
  const lossesOf = (packets: readonly Buffer[]): [number, string[]] => {
    const found: string[] = [];
    const { flowsUnopened } = extract(pcapOf(101, packets), ({ kind }) => found.push(kind));
    return [flowsUnopened, found];
  };
  const hello = wire.from('client', initial(5000, 'behind.test'));
  t.deepEqual(lossesOf([...junk(1023), hello, ...junk(1023), hello]), [0, ['client']]);
  t.deepEqual(lossesOf([...junk(1024), hello]), [1, []]);
});

/** A ClientHello of DTLS. */
const dtlsHello = (name: string, random = RANDOM, cookie = bytes()): Uint8Array =>
  clientHelloBody({ legacyVersion: 0xfefd, random, extensions: [extension.serverName(name)] }, cookie);

/** An association with a HelloVerifyRequest, as RFC 6347, section 4.2.1 has it. */
function association(wire: Datagrams, name: string, byte: number): Buffer[] {
  const random = RANDOM.map((each) => each ^ byte);
  const cookie = bytes(1, 2, 3, byte);
  const answer = serverHello({ legacyVersion: 0xfefd, random, cipherSuites: [0xc02f], extensions: [[23, bytes()]] });
  return [
    wire.from('client', dtlsRecord(dtlsFragment(1, 0, dtlsHello(name, random)))),
    wire.from('server', dtlsRecord(dtlsFragment(3, 0, Buffer.concat([bytes(0xfe, 0xfd, cookie.length), cookie])))),
    wire.from('client', dtlsRecord(dtlsFragment(1, 1, dtlsHello(name, random, cookie)))),
    wire.from('server', dtlsRecord(dtlsFragment(2, 1, answer.subarray(4)))),
  ];
}

testUnless(
  reasonAgainstTshark(),
  'one DTLS association after another between the same ports are read as tshark reads them',
  async (t) => {
    const wire = new Datagrams(5684);
    const three = ['first.test', 'second.test', 'third.test'].flatMap((name, index) =>
      association(wire, name, index + 1),
    );
    const names = ['first.test', 'first.test', 'second.test', 'second.test', 'third.test', 'third.test'];
    await assertAsTshark(t, 'dtls', three, names);
    const oneSide = three.filter((_, index) => index % 2 === 1);
    await assertAsTshark(t, 'dtls', oneSide, []);
  },
);

testUnless(
  reasonAgainstTshark(),
  'DTLS hellos that nobody answers, or only with a HelloRetryRequest, are told apart by their random',
  async (t) => {
    const wire = new Datagrams(5684);
    const names = ['try1.test', 'try2.test', 'try3.test'];
    const attempts = names.map((name, index) =>
      wire.from(
        'client',
        dtlsRecord(
          dtlsFragment(
            1,
            0,
            dtlsHello(
              name,
              RANDOM.map((each) => each ^ index),
            ),
          ),
        ),
      ),
    );
    await assertAsTshark(t, 'dtls', attempts, names);
    const retry = serverHello({ legacyVersion: 0xfefd, random: RETRY_RANDOM, extensions: [[43, bytes(0xfe, 0xfc)]] });
    const refused = attempts.flatMap((hello) => [
      hello,
      wire.from('server', dtlsRecord(dtlsFragment(2, 0, retry.subarray(4)))),
    ]);
    await assertAsTshark(t, 'dtls', refused, names);
  },
);

testUnless(reasonAgainstTshark(), 'a DTLS hello behind many HelloVerifyRequests is found', async (t) => {
  const wire = new Datagrams(5684);
  const [hello, refusal, again, answer] = association(wire, 'late.test', 1);
  if (!hello || !refusal || !again || !answer) throw new Error('an association has four datagrams');
  const refusals = Array.from({ length: 40 }, () => refusal);
  await assertAsTshark(t, 'dtls', [hello, ...refusals, again, answer], ['late.test', 'late.test']);
});

test('associations that were answered make room, and that is no loss', (t) => {
  const packets = Array.from({ length: 1000 }, (_, index) =>
    association(new Datagrams(5684, 10_000 + index), 'a.test', 1),
  );
  const hellos: string[] = [];
  const { flowsGivenUp } = extract(pcapOf(101, packets.flat()), ({ kind }) => hellos.push(kind), { maxFlows: 128 });
  t.is(flowsGivenUp, 0);
  t.is(hellos.length, 3000);
});

testUnless(reasonAgainstTshark(), 'a DTLS hello behind an alert in the same datagram is found', async (t) => {
  const alert = dtlsRecord(bytes(2, 40), { type: 21 });
  const hello = dtlsRecord(dtlsFragment(1, 0, dtlsHello('behind.test')));
  const packet = new Datagrams(5684).from('client', Buffer.concat([alert, hello]));
  await assertAsTshark(t, 'dtls', [packet], ['behind.test']);
});

/** A ClientHello in one datagram, with an extension of 1,200 bytes before the name. */
const bigHello = dtlsRecord(
  dtlsFragment(
    1,
    0,
    clientHelloBody(
      { legacyVersion: 0xfefd, extensions: [[21, new Uint8Array(1200)], extension.serverName('big.test')] },
      bytes(),
    ),
  ),
);

testUnless(reasonAgainstTshark(), 'a DTLS hello that the snap length cut comes out as far as it reaches', async (t) => {
  const packet = new Datagrams(5684).from('client', bigHello);
  // tshark reads no more than the type of one that is cut: it reads the whole.
  const [whole] = await tsharkOf(t, [packet], ['dtls.handshake.length', 'dtls.handshake.random']);
  const cut = pcapOf(101, [packet.subarray(0, 500)]);
  const [row, ...more] = rowsOf(cut);
  const raw = Buffer.from(row?.hello.raw ?? '', 'base64');
  const length = Number(whole?.['dtls.handshake.length']?.[0]);
  const held = 500 - 28 - 13 - 12;
  t.is(more.length, 0);
  t.is(raw.length, 12 + held);
  t.is(raw.toString('hex', 14, 46), whole?.['dtls.handshake.random']?.[0] ?? '');
  t.is(row?.hello.complete, false);
  t.is(row?.error, `handshake.fragment at offset ${held}: ${length - held} of ${length} bytes are missing`);
  t.is(extract(cut, () => undefined).packetsCut, 1);
});

test('datagrams that the snap length cut before what tells a hello are counted', (t) => {
  const countOf = (payload: Uint8Array, left: number): number =>
    extract(pcapOf(101, [new Datagrams(5684).from('client', payload).subarray(0, 28 + left)]), () => undefined)
      .packetsCut;
  for (const left of [0, 1, 12, 13, 24, 25, 26]) t.is(countOf(bigHello, left), 1, `${left}`);
  for (const left of [0, 1, 7, 8, 500]) t.is(countOf(initial(1, 'cut.test'), left), 1, `${left}`);
  for (const left of [1, 12, 30]) t.is(countOf(dtlsRecord(bigHello, { type: 23, epoch: 1 }), left), 0, `${left}`);
});

/** Names in the hellos that both find, in order, and each with the same random. */
async function assertAsTshark(
  t: ExecutionContext,
  protocol: 'tls' | 'dtls',
  packets: readonly Buffer[],
  names: readonly string[],
): Promise<void> {
  const fields = ['type', 'random', 'extensions_server_name'].map((field) => `${protocol}.handshake.${field}`);
  const wanted = await tsharkOf(t, packets, fields);
  t.deepEqual(
    rowsOf(pcapOf(101, packets)).map(({ kind, hello, tls }) => [
      kind === 'client' ? '1' : '2',
      Buffer.from(hello.raw, 'base64')
        .subarray(protocol === 'tls' ? 6 : 14)
        .toString('hex', 0, 32),
      tls?.serverName ?? '',
    ]),
    wanted.map((packet) => fields.map((field) => packet[field]?.[0] ?? '')),
  );
  t.deepEqual(
    wanted.flatMap((packet) => packet[`${protocol}.handshake.extensions_server_name`] ?? []),
    names,
  );
}

/** The fields of every packet with a hello, as tshark reads them. */
async function tsharkOf(
  t: ExecutionContext,
  packets: readonly Buffer[],
  fields: readonly string[],
): Promise<Record<string, string[]>[]> {
  const file = join(await temporaryFolder(t), 'udp.pcap');
  await writeFile(file, pcapOf(101, packets));
  return tsharkFields(file, 'tls.handshake.random or dtls.handshake.random', fields);
}
