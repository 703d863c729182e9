import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';

/** What tshark's dissector reads of one ClientHello, and the fingerprints that follow from its reading alone. */
export interface TsharkReading {
  readonly ja3: string;
  readonly ja4: string;
}

/**
 * Has tshark dissect `hello` (a whole ClientHello handshake message) as the one packet of a made-up connection.
 * JA3 is tshark's own; this tshark knows no JA4, so it is put together here from the fields it dissects, after
 * FoxIO's technical_details/JA4.md.
 */
export async function readByTshark(hello: Buffer): Promise<TsharkReading> {
  const record = Buffer.concat([Buffer.from([22, 3, 1, hello.length >> 8, hello.length & 255]), hello]);
  const dump = `000000 ${[...record].map((byte) => byte.toString(16).padStart(2, '0')).join(' ')}\n`;
  const directory = await mkdtemp(join(tmpdir(), 'tlsnap-tshark-'));
  const pcap = join(directory, 'hello.pcap');
  const fields = ['ja3', ...Object.values(FIELDS)].flatMap((name) => ['-e', `tls.handshake.${name}`]);
  try {
    await execa('text2pcap', ['-q', '-T', '50000,443', '-', pcap], { input: dump });
    const { stdout } = await execa('tshark', ['-r', pcap, '-T', 'json', ...fields]);
    return fingerprintsOf(JSON.parse(stdout) as TsharkPacket[]);
  } finally {
    await rm(directory, { recursive: true });
  }
}

function fingerprintsOf(packets: readonly TsharkPacket[]): TsharkReading {
  const read = (name: string) => packets[0]?._source.layers[`tls.handshake.${name}`] ?? [];
  return { ja3: read('ja3')[0] ?? '', ja4: ja4Of(read) };
}

function ja4Of(read: (name: string) => readonly string[]): string {
  const codes = (name: string) =>
    read(name)
      .map(Number)
      .filter((code) => !isGrease(code))
      .map(hex);
  const ciphers = codes(FIELDS.ciphers);
  const extensions = codes(FIELDS.extensions);
  const algorithms = codes(FIELDS.algorithms);
  const version = codes(FIELDS.versions).sort().at(-1) ?? codes(FIELDS.legacyVersion)[0] ?? '';
  const alpn = read(FIELDS.alpn)[0] ?? '00';
  const a = [
    't',
    { '0304': '13', '0303': '12', '0302': '11', '0301': '10' }[version] ?? '00',
    extensions.includes('0000') ? 'd' : 'i',
    String(Math.min(99, ciphers.length)).padStart(2, '0'),
    String(Math.min(99, extensions.length)).padStart(2, '0'),
    `${alpn.at(0) ?? ''}${alpn.at(-1) ?? ''}`,
  ].join('');
  const sortedExtensions = extensions.filter((code) => code !== '0000' && code !== '0010').sort();
  const c = [sortedExtensions.join(','), ...(algorithms.length > 0 ? [algorithms.join(',')] : [])].join('_');
  return [a, shortDigest(ciphers.sort().join(',')), shortDigest(c)].join('_');
}

function shortDigest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 12);
}

function hex(code: number): string {
  return code.toString(16).padStart(4, '0');
}

function isGrease(code: number): boolean {
  return (code & 0x0f0f) === 0x0a0a && code >> 8 === (code & 255);
}

interface TsharkPacket {
  readonly _source: { readonly layers: Readonly<Record<string, readonly string[]>> };
}

const FIELDS = {
  ciphers: 'ciphersuite',
  extensions: 'extension.type',
  algorithms: 'sig_hash_alg',
  versions: 'extensions.supported_version',
  legacyVersion: 'version',
  alpn: 'extensions_alpn_str',
} as const;
