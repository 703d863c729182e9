import { readFileSync } from 'node:fs';
import type { Connection } from '../scripts/fixtures/tshark-hellos.js';

/** The TLS records, header and all, that hold curl's ClientHello and the ServerHello that it got, from fixtures/hellos. */
export function curlExchange(): { clientHello: Buffer; serverHello: Buffer } {
  const lines = readFileSync(new URL('../fixtures/hellos/hellos.ndjson', import.meta.url), 'utf8')
    .trim()
    .split('\n');
  const curl = lines
    .map((line) => JSON.parse(line) as Connection)
    .find(({ name, transport }) => name === 'curl' && transport === 'tcp');
  const [clientHello, serverHello] = [0, 1].map((direction) => {
    const segment = curl?.segments.find(([from]) => from === direction)?.[2];
    if (segment === undefined) throw new Error('fixtures/hellos has no connection of curl');
    const bytes = Buffer.from(segment, 'hex');
    return bytes.subarray(0, 5 + bytes.readUInt16BE(3));
  });
  if (!clientHello || !serverHello) throw new Error('fixtures/hellos has no connection of curl');
  return { clientHello, serverHello };
}
