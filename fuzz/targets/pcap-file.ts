/** A whole capture file, from container to hellos. The first byte says where the file is cut for the second reading. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { TlsnapError } from '../../src/errors.js';
import type { CaptureFormat } from '../../src/pcap/file/capture-format.js';
import { recogniseCapture } from '../../src/pcap/file/read-capture.js';
import { HelloExtractor } from '../../src/pcap/flow/hello-extractor.js';

export function fuzz(input: Uint8Array): void {
  const capture = Buffer.from(input.subarray(1));
  const whole = read(capture, capture.length);
  const halves = read(capture, Math.floor(((input[0] ?? 0) * capture.length) / 256));
  if (whole.join('\n') !== halves.join('\n')) throw new Error('in two pieces it reads otherwise than in one');
}

export function seeds(): Uint8Array[] {
  const folder = join(process.cwd(), 'fixtures/pcap');
  const names = ['hello-retry.pcapng', 'cooked.pcapng', 'quic.pcapng', 'dtls.pcapng', 'proxies.pcap'];
  return names.map((name) => Uint8Array.from([128, ...readFileSync(join(folder, name))]));
}

/** What comes out where the file arrives in two pieces. */
function read(capture: Buffer, cut: number): string[] {
  const found: string[] = [];
  const extractor = new HelloExtractor(
    ({ kind, raw, complete, error, segments }) => {
      if (raw.length > capture.length) throw new Error('a hello longer than its capture');
      if (complete !== (error === null)) throw new Error('cut short without an error, or the other way round');
      found.push(`${kind} ${complete} ${segments} ${Buffer.from(raw).toString('hex')}`);
    },
    { maxFlows: 64, maxHeldBytes: 1 << 16 },
  );
  const format = recognised(capture, extractor);
  if (!format) return found;
  const taken = format.consume(capture, 0, Math.max(cut, 0), 0);
  if (!format.fault && taken < capture.length) format.consume(capture, taken, capture.length, taken);
  extractor.end();
  return [...found, `${format.packets} packets, ${format.fault?.detail ?? 'whole'}`];
}

function recognised(capture: Buffer, extractor: HelloExtractor): CaptureFormat | null {
  try {
    return recogniseCapture(capture, extractor, 'fuzz');
  } catch (error) {
    if (error instanceof TlsnapError) return null;
    throw error;
  }
}
