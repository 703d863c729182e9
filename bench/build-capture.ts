/**
 * Builds a large capture from this project's own small ones: every connection again and again, with other addresses, ports,
 * times, randoms, session ids and key shares, interleaved as on a busy link, and followed by application data.
 *
 *   node --import tsx bench/build-capture.ts OUTPUT [--handshakes 100000] [--megabytes 500]
 *
 * QUIC keeps its randoms: they are encrypted, under keys that follow from the connection id.
 */
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { parseArgs } from 'node:util';
import { readTemplates, type TemplatePacket, type Template } from './capture-templates.js';
import { Disguise } from './disguise.js';

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { handshakes: { type: 'string', default: '100000' }, megabytes: { type: 'string', default: '500' } },
});
const [output] = positionals;
if (output === undefined) {
  process.stderr.write('usage: build-capture.ts OUTPUT [--handshakes N] [--megabytes N]\n');
  process.exit(2);
}
const handshakes = Number(values.handshakes);
const bytesWanted = Number(values.megabytes) * 1e6;

const FIXTURES = new URL('../fixtures/pcap/', import.meta.url);
/** Connections of each kind in a hundred: mostly plain clients, some QUIC, and the hard cases as rare as they are. */
const MIX: Readonly<Record<string, number>> = {
  'clients.pcapng': 72,
  'quic.pcapng': 12,
  'proxies.pcap': 9,
  'hello-retry.pcapng': 3,
  'dtls.pcapng': 3,
  'big-hello.pcap': 1,
};
const templates: Template[] = [];
for (const [name, share] of Object.entries(MIX)) {
  const found = await readTemplates(new URL(name, FIXTURES));
  for (let index = 0; index < share; index++) templates.push(found[index % found.length] as Template);
}
const templateBytes = templates.reduce((sum, { bytes }) => sum + bytes, 0) / templates.length;
const bulkPerFlow = Math.max(0, bytesWanted / handshakes - templateBytes);
const CONCURRENT = 256;
const START_SECONDS = 1_795_000_000;
const PACKET_HEADER = 16;

const file = createWriteStream(output);
const header = Buffer.alloc(24);
header.writeUInt32LE(0xa1b2c3d4, 0);
header.writeUInt16LE(2, 4);
header.writeUInt16LE(4, 6);
header.writeUInt32LE(262_144, 16);
header.writeUInt32LE(1, 20);
file.write(header);

interface Running {
  readonly packets: readonly TemplatePacket[];
  readonly disguise: Disguise;
  next: number;
  bulk: number;
}

let started = 0;
let micros = 0;
const running: Running[] = [];
const start = (): Running => {
  const template = templates[(started * 37) % templates.length] as Template;
  const disguise = new Disguise(started++);
  // Some connections carry a lot, most carry little: a tenth gets all of the bulk.
  return { packets: template.packets, disguise, next: 0, bulk: started % 10 === 0 ? bulkPerFlow * 10 : 0 };
};
while (running.length < CONCURRENT && started < handshakes) running.push(start());
for (let turn = 0; running.length > 0; turn++) {
  const at = turn % running.length;
  const flow = running[at] as Running;
  const packet = flow.packets[flow.next];
  if (packet) {
    flow.next++;
    await write(flow.disguise.packet(packet));
  } else if (flow.bulk > 0) {
    const bulk = flow.disguise.bulk(flow.packets);
    flow.bulk -= bulk.length + PACKET_HEADER;
    await write(bulk);
  } else if (started < handshakes) running[at] = start();
  else running.splice(at, 1);
}
await new Promise((resolve) => file.end(resolve));
process.stdout.write(`${output}: ${started} handshakes, ${(file.bytesWritten / 1e6).toFixed(0)} MB\n`);

async function write(frame: Buffer): Promise<void> {
  micros += 97;
  const record = Buffer.alloc(PACKET_HEADER);
  record.writeUInt32LE(START_SECONDS + Math.floor(micros / 1e6), 0);
  record.writeUInt32LE(micros % 1e6, 4);
  record.writeUInt32LE(frame.length, 8);
  record.writeUInt32LE(frame.length, 12);
  if (!file.write(Buffer.concat([record, frame]))) await once(file, 'drain');
}
