/** DtlsFinder. The input is a list of datagrams: two bytes of length, then as many bytes as that. */
import { describeHello } from '../../src/tls/describe.js';
import { DtlsFinder, holdsDtlsHello, type DtlsHello } from '../../src/tls/dtls.js';
import { seedConnections } from '../hello-seeds.js';

export function fuzz(input: Uint8Array): void {
  const finder = new DtlsFinder();
  const found: DtlsHello[] = [];
  for (let at = 0; at + 2 <= input.length;) {
    const length = ((input[at] ?? 0) << 8) | (input[at + 1] ?? 0);
    const datagram = input.subarray(at + 2, at + 2 + length);
    holdsDtlsHello(datagram);
    found.push(...finder.push(datagram));
    at += 2 + length;
  }
  found.push(...finder.end());
  for (const { raw, kind, complete, error } of found) {
    if (raw.length < 12 || raw.length > 12 + input.length)
      throw new Error('longer than its input, or without a header');
    if (complete !== (error === null)) throw new Error('cut short without an error, or the other way round');
    const described = describeHello(raw, { kind, transport: 'dtls', sslv2: false });
    if (!complete && described.fingerprints !== null) throw new Error('a fingerprint of a hello that is cut short');
  }
}

export function seeds(): Uint8Array[] {
  return seedConnections('dtls').map((segments) =>
    Uint8Array.from(segments.flatMap(({ payload }) => [payload.length >> 8, payload.length & 0xff, ...payload])),
  );
}
