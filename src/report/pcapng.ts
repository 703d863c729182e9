import { HelloPcapng } from '../pcap/write/hello-packets.js';
import type { Snapshot } from '../snapshot/reader.js';
import type { MarkedBatch, Renderer } from './renderer.js';

/** The hellos as packets, for Wireshark; who sent them is in the packets' comments. */
export function pcapngRenderer(snapshot: Snapshot): Renderer {
  const packets = new HelloPcapng();
  return {
    members: ['handshakes'],
    shows: [],
    head: () => packets.header(`tlsnap ${snapshot.manifest.tool.version}`),
    rows: (batch: MarkedBatch) =>
      batch.member === 'handshakes' ? Buffer.concat(batch.rows.map((row) => packets.hello(row))) : Buffer.alloc(0),
    end: () => [],
    notes: () =>
      packets.skipped === 0 ? [] : [`${packets.skipped} hellos are left out: an address of theirs is none`],
  };
}
