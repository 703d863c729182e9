import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { QuicInitials } from '../../../src/pcap/write/quic-initial.js';
import { testUnless } from '../../left-out.js';
import { temporaryFolder } from '../../snapshot/sample.js';
import { clientHello, extension } from '../../tls/wire.js';
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

/** Names in the hellos that both find, in order, and each with the same random. */
async function assertAsTshark(
  t: ExecutionContext,
  protocol: 'tls' | 'dtls',
  packets: readonly Buffer[],
  names: readonly string[],
): Promise<void> {
  const capture = pcapOf(101, packets);
  const file = join(await temporaryFolder(t), 'udp.pcap');
  await writeFile(file, capture);
  const fields = ['type', 'random', 'extensions_server_name'].map((field) => `${protocol}.handshake.${field}`);
  const wanted = await tsharkFields(file, `${protocol}.handshake.random`, fields);
  t.deepEqual(
    rowsOf(capture).map(({ kind, hello, tls }) => [
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
