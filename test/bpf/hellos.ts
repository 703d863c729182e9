import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import type { Connection } from '../../scripts/fixtures/tshark-hellos.js';
import { Conversation } from '../../src/tls/conversation.js';
import { rowsOf } from '../pcap/captures.js';
import { fixture, readFixture, tsharkFields } from '../pcap/tshark.js';
import { bytes, clientHello, concat, extension, list16, u16, vector16, vector8 } from '../tls/wire.js';

// ClientHellos to be read by the kernel: those of real clients with what tshark read of them, and some made by hand.

/** A ClientHello message and the JA3 that tshark read of it. */
export interface KnownHello {
  readonly name: string;
  readonly message: Uint8Array;
  readonly ja3: string;
  readonly ja3String: string;
}

/** The ClientHellos over TCP of fixtures/hellos; JA3 as tshark read it when they were captured. */
export function recordedHellos(): KnownHello[] {
  const lines = readFileSync(new URL('../../fixtures/hellos/hellos.ndjson', import.meta.url), 'utf8')
    .trim()
    .split('\n');
  const connections = lines.map((line) => JSON.parse(line) as Connection);
  return connections
    .filter(({ transport }) => transport === 'tcp')
    .flatMap(({ name, segments, hellos }) => {
      const conversation = new Conversation({ finder: { segmentBudget: 100_000 } });
      const found = [
        ...segments.flatMap(([direction, at, payload]) =>
          conversation.push(direction, at ?? 0, Uint8Array.from(Buffer.from(payload, 'hex'))),
        ),
        ...conversation.end(),
      ];
      return hellos.flatMap(({ kind, ja3, ja3String }, index) => {
        const message = found[index]?.raw;
        return kind === 'client' && message !== undefined ? [{ name, message, ja3, ja3String }] : [];
      });
    });
}

/** The ClientHellos over TCP of fixtures/pcap, with what tshark reads there now. */
export async function packetHellos(): Promise<KnownHello[]> {
  const files = ['clients.pcapng', 'cooked.pcapng', 'proxies.pcap', 'hello-retry.pcapng', 'big-hello.pcap'];
  const all = await Promise.all(
    files.map(async (file) => {
      const fields = ['tls.handshake.random', 'tls.handshake.ja3', 'tls.handshake.ja3_full'];
      const read = await tsharkFields(fixture(file), 'tls.handshake.type == 1', fields);
      const messages = rowsOf(readFixture(file))
        .filter(({ kind }) => kind === 'client')
        .map(({ hello }) => Uint8Array.from(Buffer.from(hello.raw, 'base64')));
      return read.map((packet) => {
        const [random = '', ja3 = '', ja3String = ''] = fields.map((field) => packet[field]?.[0] ?? '');
        // The second hello of a retry has the random of the first, and is told from it by its JA3 string alone.
        const matching = messages.filter((message) => randomOf(message) === random);
        const index = read.filter((other) => other[fields[0] ?? '']?.[0] === random).indexOf(packet);
        return { name: basename(file), message: matching[index] ?? new Uint8Array(), ja3, ja3String };
      });
    }),
  );
  return all.flat();
}

/** Many clients send the same hello but for its random. One of each length and JA3 is enough to cut and to turn bits in. */
export function distinct(hellos: readonly KnownHello[]): Uint8Array[] {
  return [...new Map(hellos.map(({ message, ja3 }) => [`${ja3} ${message.length}`, message])).values()];
}

/** Hellos at the kernel's bounds and beyond, and such as RFC 8446 allows or forbids and no client here sends. */
export function craftedHellos(): Map<string, Uint8Array> {
  const suites = (count: number) => Array.from({ length: count }, (_, index) => 0xc000 + index);
  const empty = (count: number) => Array.from({ length: count }, (_, index) => extension.empty(0x4000 + index));
  const groups = (body: Uint8Array) => clientHello({ extensions: [[10, body]] });
  const formats = (body: Uint8Array) => clientHello({ extensions: [[11, body]] });
  return new Map<string, Uint8Array>([
    ['no extension block', clientHello({ extensions: null })],
    ['an empty extension block', clientHello({ extensions: [] })],
    ['one byte where the extension block would be', oneByteMore(clientHello({ extensions: null }))],
    ['a byte behind the extensions', oneByteMore(clientHello())],
    ['no cipher suites', clientHello({ cipherSuites: [] })],
    ['nothing at all', clientHello({ cipherSuites: [], extensions: null })],
    ['GREASE everywhere', clientHello({ cipherSuites: [...GREASE], extensions: greaseExtensions([]) })],
    ['GREASE between all', clientHello({ cipherSuites: mixed([1, 0x1301]), extensions: greaseExtensions([0x17, 29]) })],
    ['almost GREASE', clientHello({ cipherSuites: [0x0a1a, 0x1a0a, 0x0b0b, 0xa0a0, 0xaaba, 0x0a0b, 0xfafb] })],
    ['GREASE as the version', clientHello({ legacyVersion: 0x0a0a })],
    ['a session id of 32 bytes', clientHello({ sessionId: new Uint8Array(32).fill(9) })],
    ['a session id of 255 bytes', clientHello({ sessionId: new Uint8Array(255).fill(9) })],
    ...[95, 96, 97, 128, 500].map(
      (count) => [`${count} cipher suites`, clientHello({ cipherSuites: suites(count) })] as const,
    ),
    ...[39, 40, 41, 80].map((count) => [`${count} extensions`, clientHello({ extensions: empty(count) })] as const),
    ...[1, 2, 95, 96, 97].map(
      (count) => [`${count} groups`, clientHello({ extensions: [extension.groups(suites(count))] })] as const,
    ),
    ...[0, 1, 3, 4, 5, 255].map(
      (count) =>
        [
          `${count} point formats`,
          clientHello({ extensions: [extension.pointFormats(suites(count).map((n) => n & 255))] }),
        ] as const,
    ),
    ...[2047, 2048, 2049, 2060].map((size) => [`${size} bytes`, helloOf(size)] as const),
    [
      '96 cipher suites and 96 groups: a string of 1 kB',
      clientHello({ cipherSuites: suites(96), extensions: [extension.groups(suites(96))] }),
    ],
    [
      '96 cipher suites, 40 extensions, 20 groups',
      clientHello({
        cipherSuites: suites(96),
        extensions: [...empty(39), extension.groups(suites(20))],
      }),
    ],
    [
      'the longest string there is room for',
      clientHello({
        cipherSuites: suites(96),
        extensions: [...empty(38), extension.groups(suites(26)), extension.pointFormats([100, 200, 201, 202])],
      }),
    ],
    ['empty groups', groups(vector16(bytes()))],
    ['groups without a list', groups(bytes())],
    ['groups of an odd length', groups(vector16(bytes(0, 29, 0)))],
    ['groups whose list is shorter than their extension', groups(concat(vector16(list16([29])), bytes(0)))],
    ['groups whose list is longer than their extension', groups(concat(u16(8), list16([29])))],
    ['groups twice', clientHello({ extensions: [extension.groups([29]), extension.groups([23])] })],
    ['groups twice, at first empty', clientHello({ extensions: [extension.groups([]), extension.groups([23])] })],
    ['point formats without a list', formats(bytes())],
    ['point formats whose list is shorter than their extension', formats(bytes(1, 0, 0))],
    ['point formats whose list is longer than their extension', formats(bytes(9, 0))],
    ['point formats twice', clientHello({ extensions: [extension.pointFormats([0]), extension.pointFormats([1])] })],
    ['cipher suites of an odd length', oddSuites()],
    ['a ServerHello', concat(bytes(2), clientHello().subarray(1))],
    ['a header alone', bytes(1, 0, 0, 0)],
    ['a message longer than it says', concat(clientHello(), bytes(0))],
    ['a message of 16 MB by its own word', concat(bytes(1, 0xff), clientHello().subarray(2))],
  ]);
}

/** Hellos whose cipher suites are, between them, all 65,536 numbers: every number that decimals can be made of. */
export function everyNumber(): Uint8Array[] {
  const perHello = 64;
  return Array.from({ length: 65_536 / perHello }, (_, index) =>
    clientHello({ cipherSuites: Array.from({ length: perHello }, (_unused, at) => index * perHello + at) }),
  );
}

/**
 * Every beginning of a message that is not all of it, each with its own length in the header as well as with the whole's.
 * None is much longer than what the kernel hashes.
 */
export function truncations(message: Uint8Array): Uint8Array[] {
  return Array.from({ length: Math.min(message.length, 2100) }, (_, length) => message.subarray(0, length)).flatMap(
    (cut) => (cut.length < 4 ? [cut] : [cut, withLength(cut)]),
  );
}

/** A message again and again, each time with another bit turned, every `step`th of all. */
export function bitFlips(message: Uint8Array, step = 1): Uint8Array[] {
  const flips: Uint8Array[] = [];
  for (let bit = 0; bit < message.length * 8; bit += step) {
    const flipped = Uint8Array.from(message);
    flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    flips.push(flipped);
  }
  return flips;
}

function randomOf(message: Uint8Array): string {
  return Buffer.from(message.subarray(6, 38)).toString('hex');
}

function withLength(message: Uint8Array): Uint8Array {
  const length = message.length - 4;
  return concat(message.subarray(0, 1), bytes(length >> 16, (length >> 8) & 255, length & 255), message.subarray(4));
}

function oneByteMore(message: Uint8Array): Uint8Array {
  return withLength(concat(message, bytes(0)));
}

/** A hello of exactly `size` bytes, filled up by padding (RFC 7685). */
function helloOf(size: number): Uint8Array {
  const least = clientHello({ extensions: [[21, bytes()]] }).length;
  return clientHello({ extensions: [[21, new Uint8Array(size - least)]] });
}

function oddSuites(): Uint8Array {
  const start = 4 + 2 + 32 + 1;
  const message = clientHello();
  return withLength(concat(message.subarray(0, start), vector16(bytes(0x13, 1, 0x13)), vector8(bytes(0)), u16(0)));
}

function mixed(values: readonly number[]): number[] {
  return GREASE.flatMap((grease, index) => [grease, ...values.slice(index, index + 1)]);
}

function greaseExtensions(groups: readonly number[]): (readonly [number, Uint8Array])[] {
  return [
    ...GREASE.map((type) => extension.empty(type)),
    extension.groups(mixed(groups)),
    extension.pointFormats([0x0a, 0]),
    extension.empty(0xfafa),
  ];
}

/** RFC 8701, section 2. */
const GREASE = [
  0x0a0a, 0x1a1a, 0x2a2a, 0x3a3a, 0x4a4a, 0x5a5a, 0x6a6a, 0x7a7a, 0x8a8a, 0x9a9a, 0xaaaa, 0xbaba, 0xcaca, 0xdada,
  0xeaea, 0xfafa,
];
