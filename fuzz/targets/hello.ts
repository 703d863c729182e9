/** describeHello, the parsers and every fingerprint: the first byte of the input chooses the options, the rest is the message. */
import { parseClientHello } from '../../src/tls/client-hello.js';
import { describeHello, type DescribeOptions, type HelloDescription } from '../../src/tls/describe.js';
import { ja4Dialects } from '../../src/tls/dialects.js';
import { FingerprintCache } from '../../src/tls/fingerprint-cache.js';
import { ja4, ja4OriginalParts, ja4Raw, ja4ResumptionStableParts } from '../../src/tls/ja4.js';
import { ByOutline, Outline } from '../../src/tls/outline.js';
import { latin1 } from '../../src/tls/reader.js';
import { seedConnections } from '../hello-seeds.js';

const cache = new FingerprintCache(64);
const outline = new Outline();
const byOutline = new ByOutline<string>();

export function fuzz(input: Uint8Array): void {
  const options = optionsOf(input[0] ?? 0);
  const message = input.subarray(1);
  const described = describeHello(message, options);
  const again = describeHello(message, { ...options, cache });
  if (JSON.stringify(described) !== JSON.stringify(again)) throw new Error('the cache answers something else');
  const { tls, fingerprints, error } = described;
  if (error !== null && !/ at offset \d+: /.test(error)) throw new Error(`an error without field and offset: ${error}`);
  if (tls === null && (error === null || fingerprints !== null)) throw new Error('nothing read, and no error');
  if (tls !== null && tls.cipherSuites.length * 2 > message.length) throw new Error('more suites than bytes');
  if (fingerprints?.ja3 !== undefined)
    checkClient(message, options, fingerprints.ja4 ?? '', fingerprints.ja3String ?? '');
  if (!options.sslv2 && outline.of(message, options.kind, options.transport)) checkOutline(message, described);
}

export function seeds(): Uint8Array[] {
  const tcp = seedConnections('tcp').flatMap((segments) =>
    segments.map(({ direction, payload }) => concat(direction, payload.subarray(5))),
  );
  const dtls = seedConnections('dtls').flatMap((segments) =>
    segments.map(({ direction, payload }) => concat(direction | 4, payload.subarray(13))),
  );
  const sslv2 = Uint8Array.from(
    Buffer.from('08802e0103010005000000100100800000c1000000000000000000000000000000', 'hex'),
  );
  return [...tcp, ...dtls, sslv2];
}

function checkClient(message: Uint8Array, { transport }: DescribeOptions, value: string, ja3String: string): void {
  if (!JA4.test(value)) throw new Error(`not a JA4: ${value}`);
  if (!JA3.test(ja3String)) throw new Error(`not a JA3 string: ${ja3String}`);
  const { hello } = parseClientHello(message, transport === 'dtls');
  if (hello === null) throw new Error('fingerprints without a hello');
  const original = ja4OriginalParts(hello, transport);
  if (!JA4.test(ja4(original)) || !ja4Raw(original).startsWith(original.a)) throw new Error('not a ja4_o');
  if (!JA4.test(ja4(ja4ResumptionStableParts(hello, transport)))) throw new Error('not a resumption-stable JA4');
  for (const dialect of ja4Dialects(hello, transport))
    if (dialect.ja4 === value) throw new Error('a dialect that is none');
}

/** Hellos of one outline have one description but for the server name, and either all have an error or none. */
function checkOutline(message: Uint8Array, { tls, fingerprints, error }: HelloDescription): void {
  const { nameStart, nameEnd } = outline;
  const name = nameEnd === 0 ? null : latin1(message, nameStart, nameEnd);
  if (tls !== null && tls.serverName !== name) throw new Error('the outline has another server name');
  const text = JSON.stringify([{ ...tls, serverName: null }, fingerprints, error]);
  const known = byOutline.get(outline);
  if (known !== undefined && known !== text) throw new Error(`one outline, two descriptions: ${known} and ${text}`);
  byOutline.set(outline, text);
}

function optionsOf(byte: number): DescribeOptions {
  const transport = (byte & 4) !== 0 ? 'dtls' : (byte & 2) !== 0 ? 'quic' : 'tcp';
  return { kind: (byte & 1) !== 0 ? 'server' : 'client', transport, sslv2: (byte & 8) !== 0 };
}

function concat(first: number, rest: Uint8Array): Uint8Array {
  const joined = new Uint8Array(1 + rest.length);
  joined[0] = first;
  joined.set(rest, 1);
  return joined;
}

const JA4 = /^[tqd](13|12|11|10|s3|s2|d1|d2|d3|00)[di]\d{4}[0-9A-Za-z]{2}_[0-9a-f]{12}_[0-9a-f]{12}$/;
const JA3 = /^\d+,[\d-]*,[\d-]*,[\d-]*,[\d-]*$/;
